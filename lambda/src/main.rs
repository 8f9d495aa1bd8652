//! The detector as a Lambda function: the same way of a record as the command line's, over the
//! objects that one S3 notification names. It writes nothing to AWS; its verdicts go to its log.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads the environment, and writes its verdicts to its log"
)]

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let settings = &handler::Settings::from_environment()?;
    let aws = &aws;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<serde_json::Value>| {
        handler::handle(event.payload, aws, settings).await.map_err(Error::from)
    }))
    .await
}
