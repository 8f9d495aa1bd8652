//! The demonstration's logs and scopes, inside the program: it needs no file and no network.

/// Name and content.
pub(crate) type Embedded<T> = (&'static str, T);

/// The logs, as the trail delivered them.
pub(crate) const LOGS: &[Embedded<&[u8]>] = &[
    (
        "fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T0955Z_y6KJ1cW0MmHL8l1M.json.gz",
        include_bytes!(
            "../../../../fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T0955Z_y6KJ1cW0MmHL8l1M.json.gz"
        ),
    ),
    (
        "fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1055Z_yzOm3HljXJCbIwwp.json.gz",
        include_bytes!(
            "../../../../fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1055Z_yzOm3HljXJCbIwwp.json.gz"
        ),
    ),
    (
        "fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1155Z_uAJwVMrcWgTJzBtR.json.gz",
        include_bytes!(
            "../../../../fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1155Z_uAJwVMrcWgTJzBtR.json.gz"
        ),
    ),
    (
        "fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1205Z_VT3BMxbTJ0jhav2O.json.gz",
        include_bytes!(
            "../../../../fixtures/demo/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1205Z_VT3BMxbTJ0jhav2O.json.gz"
        ),
    ),
];

/// The declared scopes of its agents.
pub(crate) const SCOPES: &[Embedded<&str>] = &[
    (
        "baselines/backup-agent/scope.toml",
        include_str!("../../../../baselines/backup-agent/scope.toml"),
    ),
    (
        "baselines/cost-reporter/scope.toml",
        include_str!("../../../../baselines/cost-reporter/scope.toml"),
    ),
    (
        "baselines/data-pipeline/scope.toml",
        include_str!("../../../../baselines/data-pipeline/scope.toml"),
    ),
    (
        "baselines/deploy-bot/scope.toml",
        include_str!("../../../../baselines/deploy-bot/scope.toml"),
    ),
    (
        "baselines/oncall-investigator/scope.toml",
        include_str!("../../../../baselines/oncall-investigator/scope.toml"),
    ),
    (
        "baselines/support-bot/scope.toml",
        include_str!("../../../../baselines/support-bot/scope.toml"),
    ),
];
