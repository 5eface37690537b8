//! The pages under docs/providers: what they show must load, so that they cannot go stale.

use std::{collections::BTreeSet, fs, path::Path};

use claimgate::config::load::Reading;

/// Every value of `type`.
const PRESETS: [&str; 10] = [
    "asgardeo",
    "auth0",
    "cognito",
    "entra",
    "firebase",
    "generic",
    "google",
    "keycloak",
    "kubernetes",
    "okta",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(preset: &str) -> String {
    fs::read_to_string(root().join(format!("docs/providers/{preset}.md"))).unwrap()
}

/// The first fenced block of this language.
#[track_caller]
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a block");
    rest.split_once("```").expect("an end of it").0
}

#[test]
fn every_preset_has_a_page_and_every_page_a_preset() {
    let pages = fs::read_dir(root().join("docs/providers")).unwrap();
    let pages: BTreeSet<String> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(pages, PRESETS.map(|preset| format!("{preset}.md")).into());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    fs::write(&file, "providers: [{name: p, type: none-of-them}]").unwrap();
    let problems = Reading::take(&file).compile().map(|_| "accepted").unwrap_err().to_string();
    let (_, accepted) = problems.split_once("unknown type; accepted are ").unwrap();
    assert_eq!(accepted.split(", ").collect::<BTreeSet<_>>(), PRESETS.into());
}

#[test]
fn the_config_of_every_page_loads() {
    for preset in PRESETS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("claimgate.yaml");
        let page = page(preset);
        let config = block(&page, "yaml");
        assert!(config.contains(&format!("  type: {preset}\n")), "{preset}");
        fs::write(&file, config).unwrap();
        let loaded = Reading::take(&file).compile().unwrap_or_else(|problems| panic!("{problems}"));
        assert!(loaded.compiled.providers.contains_key(preset), "{preset}");
        assert!(loaded.compiled.default_policy.is_some(), "{preset}");
        let of_a_pod = |warning: &String| warning.contains("/var/run/secrets/kubernetes.io/");
        assert!(loaded.compiled.warnings.iter().all(of_a_pod), "{:?}", loaded.compiled.warnings);
    }
}

#[test]
fn every_page_has_the_steps_a_token_and_what_explains_it() {
    for preset in PRESETS {
        let page = page(preset);
        let shell = block(&page, "sh");
        assert!(shell.contains("> token\n"), "{preset}");
        let explain =
            format!("claimgate explain --config claimgate.yaml --provider {preset} < token\n");
        assert!(shell.ends_with(&explain), "{preset}");
        assert!(page.contains("\n1. ") && page.contains("\nSources: ["), "{preset}");
    }
}

#[test]
fn the_readme_links_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for preset in PRESETS {
        assert!(readme.contains(&format!("(docs/providers/{preset}.md)")), "{preset}");
    }
}
