//! `--shard` and `merge`: parts of a run and the whole.

use super::{Home, articles};

/// Seven articles, two of which are errors, so that shards are of unlike length.
fn prepare() -> Home {
    let home = Home::new();
    let input = format!(
        "{}[]\n{{\"text\":\"One man.\"}}\n{{\"text\":\"One man.\"}}\n",
        articles(0..7)
    );
    home.write("in.jsonl", input);
    home.tarjama(&["run", "in.jsonl", "-o", "whole.jsonl"])
        .exits(3);
    home
}

#[test]
fn keeps_merged_shards_equal_to_the_whole() {
    let home = prepare();
    for shard in 0..3 {
        let (part, output) = (format!("{shard}/3"), format!("s{shard}.jsonl"));
        let code = if shard == 1 { 3 } else { 0 };
        home.tarjama(&["run", "in.jsonl", "-o", &output, "--shard", &part])
            .exits(code);
    }
    let args = [
        "merge",
        "s2.jsonl",
        "s0.jsonl",
        "s1.jsonl",
        "-o",
        "out.jsonl",
    ];
    home.tarjama(&args)
        .exits(3)
        .says(&["10 records of 3 shards, 1 failed"]);
    assert_eq!(home.text("out.jsonl"), home.text("whole.jsonl"));
    // The merged file is a run's: it is complete, and the run's command adds nothing.
    let status = home
        .tarjama(&["status", "out.jsonl", "--json"])
        .exits(0)
        .json();
    assert_eq!(status["complete"], true);
    home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl"])
        .exits(3);
    assert_eq!(home.text("out.jsonl"), home.text("whole.jsonl"));
    home.tarjama(&args)
        .exits(2)
        .says(&["exists", "--overwrite"]);
    let again = home
        .tarjama(&[&args[..], &["--overwrite", "--json"]].concat())
        .exits(3);
    let facts = again.json();
    assert_eq!(
        (facts["records"].as_u64(), facts["shards"].as_u64()),
        (Some(10), Some(3))
    );
}

#[test]
fn fails_when_shards_are_missing_unfinished_twice_or_foreign() {
    let home = prepare();
    for shard in ["0/2", "1/2"] {
        let output = format!("s{}.jsonl", &shard[..1]);
        let run = home.tarjama(&[
            "run", "in.jsonl", "-o", &output, "--shard", shard, "--limit", "4",
        ]);
        assert!(matches!(run.code, Some(6)), "{run:?}");
    }
    let merge = |shards: &[&str]| {
        let mut args = vec!["merge", "-o", "out.jsonl"];
        args.extend(shards);
        let ended = home.tarjama(&args).exits(2);
        assert!(!home.path("out.jsonl").exists());
        ended
    };
    merge(&["s0.jsonl", "s1.jsonl"]).says(&["s0.jsonl", "not finished"]);
    home.tarjama(&["run", "in.jsonl", "-o", "s0.jsonl", "--shard", "0/2"])
        .exits(0);
    home.tarjama(&["run", "in.jsonl", "-o", "s1.jsonl", "--shard", "1/2"])
        .exits(3);
    merge(&["s0.jsonl"]).says(&["1/2"]);
    merge(&["s0.jsonl", "s0.jsonl", "s1.jsonl"]).says(&["same shard"]);
    merge(&["whole.jsonl"]).says(&["no shard"]);
    merge(&["s0.jsonl", "nowhere.jsonl"]).says(&["nowhere.jsonl"]);
    home.tarjama(&[
        "run",
        "in.jsonl",
        "-o",
        "t1.jsonl",
        "--shard",
        "1/2",
        "--sentences",
        "1",
    ])
    .exits(3);
    merge(&["s0.jsonl", "t1.jsonl"]).says(&["--sentences was 3, is 1"]);
    // A shard with a line that is lost.
    let text = home.text("s1.jsonl");
    let cut = text.lines().take(4).collect::<Vec<_>>().join("\n") + "\n";
    home.write("s1.jsonl", cut);
    merge(&["s0.jsonl", "s1.jsonl"]).says(&["s1.jsonl", "article 9"]);
}

#[test]
fn keeps_to_the_place_that_a_scheduler_gives() {
    let home = prepare();
    let whole = home.text("whole.jsonl");
    let nth = |wanted: usize, of: usize| -> String {
        let lines = whole.lines().enumerate().filter(|(n, _)| n % of == wanted);
        lines.map(|(_, line)| format!("{line}\n")).collect()
    };
    for (name, variables, wanted) in [
        (
            "slurm",
            &[
                ("SLURM_ARRAY_TASK_ID", "1"),
                ("SLURM_ARRAY_TASK_COUNT", "4"),
            ][..],
            nth(1, 4),
        ),
        (
            "slurm-from-1",
            &[
                ("SLURM_ARRAY_TASK_ID", "3"),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
                ("SLURM_ARRAY_TASK_MIN", "1"),
            ],
            nth(2, 3),
        ),
        (
            "k8s",
            &[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "2")],
            nth(0, 2),
        ),
    ] {
        let output = format!("{name}.jsonl");
        let mut command = home.command(&["run", "in.jsonl", "-o", &output, "--shard", "auto"]);
        command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(home.text(&output), wanted, "{name}");
    }
    home.tarjama(&["run", "in.jsonl", "-o", "x.jsonl", "--shard", "auto"])
        .exits(2)
        .says(&["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "--shard I/N"]);
    for wrong in ["3/3", "a/b", "1", "0/0"] {
        home.tarjama(&["run", "in.jsonl", "-o", "x.jsonl", "--shard", wrong])
            .exits(2)
            .says(&["--shard 0/4"]);
    }
}
