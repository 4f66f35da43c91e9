//! Any bytes as a definition file: reading, validating and exporting must not panic, and an export must mean the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_model::{
    document::{ExportFacts, SourceDocument, Spelling, export, parse_source},
    validate::validate_api,
};

fuzz_target!(|content: &[u8]| {
    let Ok(documents) = parse_source("fuzz", content) else {
        return;
    };
    for document in documents {
        let SourceDocument::Api(api) = document else {
            continue;
        };
        let _ = validate_api(&api.canonical, &[]);
        let text = export(&api.canonical, Spelling::Native, &ExportFacts::default());
        // What came in near a limit may exceed it when it is written out; anything else must come back unchanged.
        if let Ok(again) = parse_source("export", text.as_bytes())
            && let [SourceDocument::Api(again)] = again.as_slice()
        {
            assert_eq!(again.canonical, api.canonical);
        }
    }
});
