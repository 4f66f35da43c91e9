//! `lint`: the checks of `apply`, without a cluster.

use tidegate_check::Checked;
use tidegate_model::document::{SourceDocument, parse_source};

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
    let SourceDocument::Api(api) = document else {
        return;
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
