//! `tripline doctor`

#[cfg(feature = "aws")]
mod drill;

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &crate::args::DoctorArgs) -> Result<crate::exit::Ended, crate::exit::Failure> {
    Err(crate::exit::Failure::Usage {
        message: "this program was built without AWS".to_owned(),
        hint: "build it with its default features: cargo build --release --bin tripline",
    })
}

#[cfg(feature = "aws")]
pub(crate) use with_aws::run;

#[cfg(feature = "aws")]
mod with_aws {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::path::Path;

    use aws_config::{BehaviorVersion, SdkConfig};
    use tripline_attribution::AgentId;
    use tripline_aws::{Approving, ApprovingError, AwsProbe, DynamoState, S3Depot};
    use tripline_baseline::Day;
    use tripline_chat::Message;
    use tripline_detector::Calibration;
    use tripline_engine::doctor::{
        Answer, AnswerProblem, Check, Found, LinesOf, ModelFacts, Unknown, judge,
    };
    use tripline_engine::{Beat, Channel, Config, SecretRef, Source};
    use tripline_iam::Arn;
    use tripline_report::doctor as report;
    use tripline_runtime::{
        Asked, Channel as Post, EmbeddedState, LOG_FILE, Library, Outbox, SystemClock, beats,
        examine, fired, hash_seed, models_of, reach, read_log, settings,
    };
    use tripline_text::{Untrusted, escape};

    use super::drill;
    use crate::args::{DoctorArgs, FailOnAnswer, Format};
    use crate::exit::{Ended, Failure};
    use crate::input::{config_file, now};
    use crate::logbook::{self, LogPlace, own_directory};
    use crate::output::{Output, untold};
    use crate::switch;

    pub(crate) fn run(arguments: &DoctorArgs) -> Result<Ended, Failure> {
        let (config, _) = settings(config_file(arguments.config.as_deref()).as_deref(), None)?;
        let runtime = switch::runtime()?;
        if let Some(role) = &arguments.fire_drill {
            return runtime.block_on(drill::run(arguments, &config, &role_named(role)?));
        }
        let asked = Asked {
            stack: arguments.stack.clone(),
            buckets: arguments.bucket.iter().cloned().collect(),
            roles: arguments.role.clone(),
            responder: arguments.responder.as_deref().map(principal_named).transpose()?,
        };
        let models = models(arguments.baselines.as_deref())?;
        let checks = runtime.block_on(async {
            let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
            let hands = switch::hands(&config).await?;
            let probe = AwsProbe::new(&aws, &hands);
            let examined = examine(&probe, &asked, &config, hands.identity(), now()).await;
            let mut facts = examined.facts;
            facts.beats = heard(&aws, examined.table.clone(), &config).await;
            let here = models.as_ref().ok().and_then(|models| models.calibration.as_ref());
            let place = examined.models.as_deref();
            (facts.lines_of, facts.fired) = held(&aws, examined.table.clone(), place, here).await;
            facts.models = models;
            let log = arguments.switch.log.state.as_ref();
            facts.stop.is_halted = is_halted(examined.table, log).await;
            let channels = channels(&aws, arguments, &config, examined.slack).await;
            facts.chat = reach(&channels, arguments.post, switch::now_unix_ms()).await;
            facts.answers = answers(&aws, &config).await;
            let checks = judge(&facts);
            if arguments.tell {
                tell(&checks, &channels, log).await?;
            }
            Ok::<_, Failure>(checks)
        })?;
        write(arguments, &checks)?;
        let limit = match arguments.fail_on {
            FailOnAnswer::Warning => Answer::Warning,
            FailOnAnswer::Failed => Answer::Failed,
        };
        Ok(Ended {
            findings: checks.iter().any(|check| check.answer >= limit),
            unread: checks.iter().any(|it| it.answer == Answer::NotChecked { is_wanted: true }),
            unproven: false,
        })
    }

    fn write(arguments: &DoctorArgs, checks: &[Check]) -> Result<(), Failure> {
        let mut out = Output::new(arguments.color);
        let style = out.style();
        match arguments.format {
            Format::Table => report::write_checks(&mut out, checks, style)?,
            Format::Ndjson => {
                checks.iter().try_for_each(|check| report::write_check_line(&mut out, check))?;
            }
        }
        out.flush()?;
        let mut summary = out.for_summary(arguments.format, arguments.quiet);
        report::write_summary(&mut summary, checks)?;
        Ok(summary.flush()?)
    }

    fn role_named(text: &str) -> Result<Arn, Failure> {
        let arn = principal_named(text)?;
        match arn.role_name() {
            Some(_) => Ok(arn),
            None => Err(not_a(text, "role")),
        }
    }

    fn principal_named(text: &str) -> Result<Arn, Failure> {
        let arn = Arn::parse(text).ok().filter(|arn| arn.account().is_some());
        arn.ok_or_else(|| not_a(text, "principal"))
    }

    fn not_a(text: &str, kind: &str) -> Failure {
        let text = Untrusted::borrowed(text);
        Failure::Usage {
            message: format!("`{}` is not the ARN of a {kind}", escape::terminal(&text)),
            hint: "for example arn:aws:iam::111122223333:role/agents/Canary",
        }
    }

    fn models(named: Option<&Path>) -> Result<Found<ModelFacts>, Failure> {
        let usual = Path::new("baselines");
        match named.or_else(|| usual.is_dir().then_some(usual)) {
            Some(directory) => Ok(Ok(models_of(directory)?)),
            None => {
                Ok(Err(Unknown::NotAsked("there is no folder of baselines here: --baselines DIR")))
            }
        }
    }

    /// Whose files arrived, by the state of the deployment.
    async fn heard(
        aws: &SdkConfig,
        table: Option<String>,
        config: &Config,
    ) -> Found<BTreeMap<Source, Beat>> {
        let Some(table) = table else {
            return Err(Unknown::NotAsked("no deployment is named: --stack NAME"));
        };
        let state = DynamoState::new(aws, table);
        beats(&state, config.heartbeat, now())
            .await
            .map_err(|error| Unknown::refused(error.to_string()))
    }

    /// Of which classes the calibration does not hold, by the state of the deployment. It is that of the
    /// models which the deployment follows at `place`, else the one `here`.
    async fn held(
        aws: &SdkConfig,
        table: Option<String>,
        place: Option<&str>,
        here: Option<&Calibration>,
    ) -> (LinesOf, Found<BTreeMap<Option<AgentId>, Day>>) {
        let depot = place.and_then(|place| S3Depot::parse(aws, place));
        let lines_of = if depot.is_some() { LinesOf::Deployment } else { LinesOf::Folder };
        let Some(table) = table else {
            let unknown = Unknown::NotAsked("no deployment is named: --stack NAME");
            return (lines_of, Err(unknown));
        };
        let refused = |error: &dyn ToString| Unknown::refused(error.to_string());
        let edition = match depot {
            Some(depot) => match Library::open(Box::new(depot), hash_seed(), now()).await {
                Ok(library) => Some(library.edition(now()).await),
                Err(error) => return (lines_of, Err(refused(&error))),
            },
            None => None,
        };
        let calibration = match &edition {
            Some(edition) => edition.core().calibration(),
            None => here,
        };
        let Some(calibration) = calibration else {
            let unknown = Unknown::NotAsked("no lines were drawn: tripline backtest --save");
            return (lines_of, Err(unknown));
        };
        let state = DynamoState::new(aws, table);
        (lines_of, fired(&state, calibration).await.map_err(|error| refused(&error)))
    }

    /// Whether the brake is on: by the log of the deployment, else by this machine's.
    async fn is_halted(table: Option<String>, given: Option<&LogPlace>) -> Found<bool> {
        let place = table.map(LogPlace::Table).map_or_else(|| LogPlace::meant(given).ok(), Some);
        let is_there = |place: &LogPlace| match place {
            LogPlace::Directory(directory) => directory.join(LOG_FILE).is_file(),
            LogPlace::Table(_) => true,
        };
        let Some(place) = place.filter(is_there) else {
            return Err(Unknown::NotAsked("there is no action log on this machine"));
        };
        let refused = |error: &dyn ToString| Unknown::refused(error.to_string());
        let text = logbook::text(place).await.map_err(|error| refused(&error))?;
        let (_, ledger) = read_log(text.lines()).map_err(|error| refused(&error))?;
        Ok(ledger.halted().is_some())
    }

    /// The channels of the configuration, and the short ways to one of them.
    async fn channels(
        aws: &SdkConfig,
        arguments: &DoctorArgs,
        config: &Config,
        secret: Option<String>,
    ) -> Vec<Box<dyn Post>> {
        let by_name = arguments.slack_webhook_env.clone().map(SecretRef::Environment);
        let by_name = by_name.map(|url| Channel::slack_webhook("slack-webhook-env", url));
        let of_stack =
            secret.map(|id| Channel::slack_webhook("slack-webhook-secret", SecretRef::Secret(id)));
        let settings: Vec<Channel> =
            config.channels.iter().cloned().chain(by_name).chain(of_stack).collect();
        // One that cannot be used says so when it is asked.
        tripline_aws::channels(aws, &settings).await.0
    }

    /// Tells people what turned since they were told last.
    async fn tell(
        checks: &[Check],
        channels: &[Box<dyn Post>],
        given: Option<&LogPlace>,
    ) -> Result<(), Failure> {
        let directory = LogPlace::meant(given)?.directory().or_else(|_| own_directory())?;
        // A watch may hold the state beside it.
        let state = EmbeddedState::open(&directory.join("doctor"))?;
        let outbox = Outbox::new(&state, channels, &SystemClock);
        outbox.put_of_itself(&Message::of_doctor(checks)).await?;
        Ok(untold(&outbox.drain().await?, "the next visit tells it")?)
    }

    /// Whether what people press would be believed; none where nobody may press anything.
    async fn answers(aws: &SdkConfig, config: &Config) -> Option<Vec<AnswerProblem>> {
        if config.people.is_empty() {
            return None;
        }
        let (_, errors) = Approving::of(aws, &config.approvals, &config.people).await;
        let problem = |error: ApprovingError| AnswerProblem {
            is_certain: matches!(error, ApprovingError::Key { .. }),
            said: Untrusted::new(error.to_string()),
        };
        Some(errors.into_iter().map(problem).collect())
    }
}
