//! `lint`: the checks of `apply`, without a cluster.

use tidegate_check::Checked;
use tidegate_model::{
    Asset,
    document::{AssetDocument, SourceDocument, parse_source},
};

use super::sources;
use crate::{args::FilesArgs, failure::Failure, output};

/// Checks every file and reports all violations; conflicts between APIs need a cluster.
pub(super) fn run(args: &FilesArgs) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut checked = 0_usize;
    for source in sources::read_all(&args.files)? {
        match parse_source(&source.name, &source.content) {
            Err(violations) => problems.extend(violations.iter().map(ToString::to_string)),
            Ok(documents) => {
                checked += documents.len();
                for document in &documents {
                    check(document, &source.name, &mut problems);
                }
            }
        }
    }
    if problems.is_empty() {
        return output::line(&format!("{checked} documents, nothing to complain about"));
    }
    let count = problems.len();
    for problem in problems {
        output::line(&problem)?;
    }
    Err(Failure::refused(format!("{count} violations")))
}

fn check(document: &SourceDocument, source: &str, problems: &mut Vec<String>) {
    let api = match document {
        SourceDocument::Api(api) => api,
        SourceDocument::Asset(asset) => return check_asset(asset, source, problems),
        SourceDocument::Application(_) | SourceDocument::Unsupported { .. } => return,
    };
    for notice in &api.notices {
        output::remark(&format!("{source}: {}: {}", notice.path, notice.message));
    }
    let Checked {
        violations,
        notices,
        ..
    } = tidegate_check::check(&api.canonical, &[]);
    for notice in notices {
        output::remark(&format!("{source}: {}: {}", notice.path, notice.message));
    }
    problems.extend(violations.iter().map(|found| format!("{source}: {found}")));
}

fn check_asset(document: &AssetDocument, source: &str, problems: &mut Vec<String>) {
    let mut notices = document.notices.clone();
    let violations = match Asset::from_canonical(document.kind, &document.canonical) {
        Ok(asset) => {
            let (violations, of_policies) = tidegate_policies::validate_asset(&asset);
            notices.extend(of_policies);
            violations
        }
        Err(violations) => violations,
    };
    for notice in notices {
        output::remark(&format!("{source}: {}: {}", notice.path, notice.message));
    }
    problems.extend(violations.iter().map(|found| format!("{source}: {found}")));
}
