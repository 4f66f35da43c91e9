//! Generated messages, clients and servers of every Tidegate gRPC contract. No logic lives here.

/// Operator API: everything the command line can do.
pub mod admin {
    /// Version 1 of the operator API.
    pub mod v1 {
        tonic::include_proto!("tidegate.admin.v1");
    }
}

/// Control plane to control plane.
pub mod raft {
    /// Version 1 of the node-to-node contract.
    pub mod v1 {
        tonic::include_proto!("tidegate.raft.v1");
    }
}

/// Control plane to edge.
pub mod sync {
    /// Version 1 of the snapshot stream.
    pub mod v1 {
        tonic::include_proto!("tidegate.sync.v1");
    }
}

/// The encoded `FileDescriptorSet` of all contracts, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("tidegate");
