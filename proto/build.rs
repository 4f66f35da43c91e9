//! Compiles the .proto files with a pure-Rust compiler, so that a build needs no `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: &[&str] = &[
    "tidegate/admin/v1/api.proto",
    "tidegate/admin/v1/application.proto",
    "tidegate/admin/v1/asset.proto",
    "tidegate/admin/v1/cluster.proto",
    "tidegate/admin/v1/edge.proto",
    "tidegate/admin/v1/subscription.proto",
    "tidegate/admin/v1/token.proto",
    "tidegate/admin/v1/watch.proto",
    "tidegate/raft/v1/raft.proto",
    "tidegate/sync/v1/sync.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=tidegate");
    let descriptors = protox::compile(FILES, ["."])?;
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out_dir.join("tidegate.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
