//! Tripline as Lambda functions, of one program: the *detector* reads what CloudTrail delivers and has no
//! leave to write to IAM; the *responder* is told which lineage to look at, looks for itself, and pulls
//! the switch; the *desk* takes what people press under messages. From each of the others a queue leads
//! to the responder.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads the environment and the clock, and writes to its log"
)]

mod desk;
mod detector;
mod log;
mod responder;
mod settings;

use aws_config::BehaviorVersion;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::desk::Desk;
use crate::detector::Detector;
use crate::responder::Answerer;
use crate::settings::{Part, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::open();
    let settings = Settings::from_environment()?;
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    match settings.part {
        Part::Detector => {
            let detector = &Detector::new(&aws, &settings).await?;
            let serve =
                async move |event: LambdaEvent<Value>| detector.handle(&event.payload).await;
            lambda_runtime::run(service_fn(serve)).await
        }
        Part::Desk => {
            let desk = &Desk::new(&aws, &settings).await?;
            let serve = async move |event: LambdaEvent<Value>| desk.handle(event.payload).await;
            lambda_runtime::run(service_fn(serve)).await
        }
        Part::Responder => {
            let answerer = &Answerer::new(&aws, &settings).await?;
            let serve =
                async move |event: LambdaEvent<Value>| answerer.handle(&event.payload).await;
            lambda_runtime::run(service_fn(serve)).await
        }
    }
}
