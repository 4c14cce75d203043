//! What a run refuses at its start, so that nothing of the user's is lost and nothing hangs.

use super::*;

fn overwrite(job: &mut Job<'_>) {
    job.mode = Mode::Overwrite;
}

#[test]
fn keeps_an_input_that_is_named_as_the_output_too() {
    let case = Case::new(b"{\"text\":\"a\"}\n");
    let refused = |name: &str| {
        let error = case.run(name, overwrite).unwrap_err();
        assert!(matches!(error, RunError::OutputIsInput(_)), "{error}");
    };
    refused("in.jsonl");
    std::os::unix::fs::symlink("in.jsonl", case.path("link.jsonl")).unwrap();
    refused("link.jsonl");
    fs::hard_link(case.path("in.jsonl"), case.path("hard.jsonl")).unwrap();
    refused("hard.jsonl");
    assert_eq!(case.read("in.jsonl"), "{\"text\":\"a\"}\n");
}

#[test]
fn fails_when_the_output_is_no_file() {
    let case = Case::new(b"{\"text\":\"a\"}\n");
    fs::create_dir(case.path("folder")).unwrap();
    for mode in [Mode::Continue, Mode::Overwrite] {
        let error = case.run("folder", |job| job.mode = mode).unwrap_err();
        assert!(matches!(error, RunError::NoFile(_)), "{error}");
        let device = |job: &mut Job<'_>| {
            job.mode = mode;
            job.output = Output::File("/dev/full".into());
        };
        let error = case.run("x", device).unwrap_err();
        assert!(matches!(error, RunError::NoFile(_)), "{error}");
        let error = case
            .run("none/out.jsonl", |job| job.mode = mode)
            .unwrap_err();
        assert!(matches!(error, RunError::NoFolder(_)), "{error}");
    }
    assert!(!Path::new("/dev/full.lock").exists());
}

#[test]
fn fails_when_a_pipe_is_to_be_read_twice() {
    let mut case = Case::new(b"");
    let pipe = case.path("pipe.jsonl");
    let status = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(status.unwrap().success());
    case.paths = vec![pipe];
    let error = case.run("out.jsonl", |_| ()).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("`-`"), "{error}: {why}");
}

#[test]
fn fails_when_what_lies_beside_the_output_is_no_run_manifest() {
    let case = Case::new(b"{\"text\":\"a\"}\n");
    for rubbish in [&b""[..], b"\xff\xfe", b"{}", b"[[[["] {
        write(&case.path("out.jsonl.run.json"), rubbish);
        let error = case.run("out.jsonl", |_| ()).unwrap_err();
        assert!(
            matches!(&error, RunError::Manifest { path, .. } if path.ends_with("out.jsonl.run.json")),
            "{error}"
        );
    }
    assert_eq!(case.run("out.jsonl", overwrite).unwrap().counts.done, 1);
}

#[test]
fn fails_when_a_manifest_names_a_shard_that_cannot_be() {
    let case = Case::new(b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    let shard = Shard { index: 0, count: 2 };
    case.run("0.jsonl", |job| job.shard = Some(shard)).unwrap();
    let manifest = case.read("0.jsonl.run.json");
    let huge = |count: &str| {
        let text = manifest.replace("\"index\": 0", &format!("\"index\": {}", u64::MAX - 1));
        let text = text.replace("\"count\": 2", &format!("\"count\": {count}"));
        assert_ne!(text, manifest);
        write(&case.path("0.jsonl.run.json"), text.as_bytes());
        merge(&[case.path("0.jsonl")], &case.path("m.jsonl"), false).unwrap_err()
    };
    let missing = huge(&u64::MAX.to_string()).to_string();
    assert!(missing.starts_with("shards are missing: 0/"), "{missing}");
    huge("0");
    assert!(status(&case.path("0.jsonl")).is_err());
}

#[test]
fn fails_when_status_is_asked_of_another_file() {
    let case = Case::new(b"{\"text\":\"a\"}\n");
    assert!(status(&case.path("in.jsonl")).is_err());
    write(&case.path("empty.jsonl"), b"");
    assert!(!status(&case.path("empty.jsonl")).unwrap().complete);
}
