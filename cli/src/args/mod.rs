//! The command line as types.

mod nouns;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use nouns::{
    ApplicationCommand, ClusterCommand, EdgesCommand, KeyCommand, PlanCommand, Role,
    SubscriptionCommand, TokenCommand,
};

/// Operate a Tidegate cluster, or run a whole one on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the cluster is and how results are printed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Global {
    /// Control-plane address, such as https://127.0.0.1:7400; several separated by commas
    #[arg(long, global = true, env = "TIDEGATE_SERVER", value_delimiter = ',')]
    pub server: Vec<String>,
    /// PEM file of the CA that signed the control plane's certificates
    #[arg(long, global = true, env = "TIDEGATE_CA")]
    pub ca: Option<PathBuf>,
    /// File that holds the bearer token
    #[arg(long, global = true, env = "TIDEGATE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// endpoints.json of a running system, instead of the three above
    #[arg(long, global = true, env = "TIDEGATE_ENDPOINTS")]
    pub endpoints: Option<PathBuf>,
    /// Environment to work in
    #[arg(
        long,
        short,
        global = true,
        env = "TIDEGATE_ENVIRONMENT",
        default_value = "DEFAULT"
    )]
    pub environment: String,
    /// How to print results
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// How long one call, or a wait, may take
    #[arg(long, global = true, default_value = "30s", value_parser = duration)]
    pub timeout: std::time::Duration,
}

impl Global {
    /// Talks to given nodes.
    pub(crate) fn for_nodes(
        server: Vec<String>,
        ca: PathBuf,
        token_file: PathBuf,
        timeout: std::time::Duration,
    ) -> Self {
        Self {
            server,
            ca: Some(ca),
            token_file: Some(token_file),
            endpoints: None,
            environment: "DEFAULT".to_owned(),
            output: Format::Table,
            timeout,
        }
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Wide,
    Json,
    Yaml,
}

/// A spelling of API definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spelling {
    /// Native YAML
    Tidegate,
    /// Gravitee management export, JSON
    Gravitee,
    /// Gravitee Kubernetes operator manifest, YAML
    Gko,
}

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    #[value(alias = "apis")]
    Api,
    #[value(alias = "plans")]
    Plan,
    #[value(aliases = ["applications", "app", "apps"])]
    Application,
    #[value(aliases = ["subscriptions", "sub", "subs"])]
    Subscription,
    #[value(alias = "edges")]
    Edge,
    #[value(alias = "tokens")]
    Token,
    #[value(aliases = ["shared-policy-groups", "group", "groups", "spg"])]
    SharedPolicyGroup,
    #[value(alias = "dictionaries")]
    Dictionary,
    #[value(alias = "organizations")]
    Organization,
}

/// A kind of what is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeployedKind {
    Api,
    #[value(aliases = ["group", "spg"])]
    SharedPolicyGroup,
    Dictionary,
    Organization,
}

/// Something that is deployed, by kind and name.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Deployed {
    /// Id or name
    pub name: String,
    /// What it is
    #[arg(long, short, value_enum, default_value_t = DeployedKind::Api)]
    pub kind: DeployedKind,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole system on this machine: control plane, edges, sample upstream
    Dev(DevArgs),
    /// Remember how to reach a cluster
    Login,
    /// Show who the current token belongs to
    Whoami,
    /// Manage bearer tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Create or update resources from files
    Apply(ApplyArgs),
    /// Show what apply would change
    Diff(FilesArgs),
    /// Print the definition of an API, or of what APIs share
    Export(ExportArgs),
    /// List resources of a kind, or show one
    Get { kind: Kind, name: Option<String> },
    /// Show one resource with everything that belongs to it
    Describe { kind: Kind, name: String },
    /// Delete a resource
    Delete {
        kind: Kind,
        name: String,
        /// Close plans and subscriptions of an API first
        #[arg(long)]
        close_plans: bool,
    },
    /// Print changes as they happen
    Watch {
        kind: Option<Kind>,
        /// Start after this revision instead of now
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Publish a draft to the edges
    Deploy(DeployArgs),
    /// Take a shared policy group, a dictionary or the organisation's flows off the edges
    Undeploy(Deployed),
    /// List the deployments of an API, or of what APIs share
    History(Deployed),
    /// Compare two deployments, or one with the draft (0)
    Compare {
        api: String,
        /// Deployment number; the live one when left out, 0 for the draft
        #[arg(long)]
        from: Option<u64>,
        /// Deployment number; 0 for the draft
        #[arg(long, default_value_t = 0)]
        to: u64,
    },
    /// Deploy the content of an earlier deployment again
    Rollback(RollbackArgs),
    /// Start serving a stopped API, or fetching a dictionary
    Start(Deployed),
    /// Stop serving an API, or fetching a dictionary, without forgetting it
    Stop(Deployed),
    /// List edge gateways
    Edges {
        #[command(subcommand)]
        command: Option<EdgesCommand>,
    },
    /// List sharding tags in use
    Tags,
    /// Look at the control plane itself
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Change the state of a plan
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Manage applications
    #[command(subcommand)]
    App(ApplicationCommand),
    /// Manage subscriptions
    #[command(subcommand)]
    Subscription(SubscriptionCommand),
    /// Manage API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check files without a cluster
    Lint(FilesArgs),
    /// Print a completion script
    Completion { shell: clap_complete::Shell },
    /// The sample upstream of `tidegate dev`
    #[command(hide = true)]
    SampleUpstream {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: std::net::SocketAddr,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DevArgs {
    /// Control-plane nodes: 1, 3 or 5
    #[arg(long, default_value_t = 1, value_parser = node_count)]
    pub nodes: u8,
    /// Edge gateways
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=32))]
    pub edges: u8,
    /// Sharding tags of edge 1;2;…, such as "a,!b;c"
    #[arg(long, default_value = "")]
    pub edge_tags: String,
    /// Where everything is kept; a second start finds it again
    #[arg(long, env = "TIDEGATE_DEV_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep everything in a temporary directory and remove it at the end
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,
    /// Do not deploy the sample API
    #[arg(long)]
    pub no_sample: bool,
    /// End when the parent process ends
    #[arg(long, hide = true)]
    pub parent_bound: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FilesArgs {
    /// File, directory, or - for standard input; may be given several times
    #[arg(long = "file", short, required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub files: FilesArgs,
    /// Validate and show the outcome without storing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Deploy everything after storing it
    #[arg(long)]
    pub deploy: bool,
    /// Label of the deployments, at most 32 characters
    #[arg(long, requires = "deploy")]
    pub label: Option<String>,
    /// Message of the deployments
    #[arg(long, requires = "deploy")]
    pub message: Option<String>,
    /// Refuse unless the stored API carries this etag
    #[arg(long)]
    pub if_match: Option<String>,
    /// Wait until the edges have it
    #[arg(long, requires = "deploy")]
    pub wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub what: Deployed,
    /// Spelling to write
    #[arg(long, value_enum, default_value_t = Spelling::Tidegate)]
    pub format: Spelling,
    /// Deployment number instead of the draft
    #[arg(long, default_value_t = 0)]
    pub number: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub what: Deployed,
    /// At most 32 characters
    #[arg(long)]
    pub label: Option<String>,
    #[arg(long)]
    pub message: Option<String>,
    /// Refuse unless the draft carries this etag
    #[arg(long)]
    pub if_match: Option<String>,
    /// Wait until every entitled edge has it active, or say which refused it
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    pub api: String,
    /// Deployment number to go back to
    #[arg(long)]
    pub to: u64,
    #[arg(long)]
    pub label: Option<String>,
    #[arg(long)]
    pub message: Option<String>,
    /// Wait until every entitled edge has it active, or say which refused it
    #[arg(long)]
    pub wait: bool,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

fn node_count(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("expected 1, 3 or 5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn even_voter_counts_are_refused() {
        assert!(Cli::try_parse_from(["tidegate", "dev", "--nodes", "2"]).is_err());
        assert!(Cli::try_parse_from(["tidegate", "dev", "--nodes", "3"]).is_ok());
    }
}
