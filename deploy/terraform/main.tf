# The same parts as deploy/template.yaml, which says why each is as it is; deploy/check compares the
# roles' policies of the two.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name

  detector_arn       = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-detector"
  responder_arn      = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-responder"
  detector_role_arn  = "arn:${local.partition}:iam::${local.account}:role/${var.detector_role_name}"
  responder_role_arn = "arn:${local.partition}:iam::${local.account}:role/${var.responder_role_name}"

  topic_arn = var.alarm_topic_arn == "" ? aws_sns_topic.alarms[0].arn : var.alarm_topic_arn

  environment = {
    TRIPLINE_CONFIG         = var.config_bucket == "" ? "/var/task" : "s3://${var.config_bucket}/${var.config_prefix}"
    TRIPLINE_TABLE          = aws_dynamodb_table.state.name
    TRIPLINE_PLAN_QUEUE_URL = aws_sqs_queue.plans.url
    TRIPLINE_BUCKETS        = var.trail_bucket
    TRIPLINE_ACCOUNTS       = length(var.accounts) == 0 ? local.account : join(",", var.accounts)
    TRIPLINE_MODE           = var.mode
    TRIPLINE_BRAKES         = "{ kills_per_hour = ${var.brakes.kills_per_hour}, kills_per_hour_per_account = ${var.brakes.kills_per_hour_per_account}, kills_per_hour_per_class = ${var.brakes.kills_per_hour_per_class}, cool_down_minutes = ${var.brakes.cool_down_minutes} }"
  }

  desk_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-desk"

  policy_values = {
    account              = local.account
    answer_secret_arns   = var.answers ? var.answer_secret_arns : []
    bind_roles           = var.bind_roles
    calls_arn            = aws_sqs_queue.calls.arn
    channel_secret_arns  = var.channel_secret_arns
    channel_topic_arns   = var.channel_topic_arns
    config_bucket        = var.config_bucket
    config_prefix        = var.config_prefix
    contain_path         = var.contain_path
    desk_arn             = local.desk_arn
    desk_logs_arn        = var.answers ? aws_cloudwatch_log_group.desk[0].arn : ""
    detector_arn         = local.detector_arn
    detector_logs_arn    = aws_cloudwatch_log_group.detector.arn
    detector_role_name   = var.detector_role_name
    dns_suffix           = data.aws_partition.this.dns_suffix
    kms_key_arns         = var.kms_key_arns
    may_write            = contains(["approve", "enforce"], var.mode)
    objects_arn          = aws_sqs_queue.objects.arn
    org_id               = var.org_id
    partition            = local.partition
    plans_arn            = aws_sqs_queue.plans.arn
    presses_arn          = var.answers ? aws_sqs_queue.presses[0].arn : ""
    dead_letters_arn     = aws_sqs_queue.detector_dead_letters.arn
    protected_arns       = var.protected_arns
    region               = local.region
    responder_arn        = local.responder_arn
    responder_logs_arn   = aws_cloudwatch_log_group.responder.arn
    responder_role_name  = var.responder_role_name
    slack_key_arn        = var.slack_key_arn
    slack_webhook_secret = var.slack_webhook_secret
    table_arn            = aws_dynamodb_table.state.arn
    trail_bucket         = var.trail_bucket
    trail_prefix         = var.trail_prefix
  }
}

# Holds the action log: it is not to go with the rest.
resource "aws_dynamodb_table" "state" {
  name                        = "${var.name}-state"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.state_key_arn
  }
}

resource "aws_cloudwatch_log_group" "detector" {
  name              = "/tripline/${var.name}/detector"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_group" "responder" {
  name              = "/tripline/${var.name}/responder"
  retention_in_days = var.log_retention_days
}

data "aws_iam_policy_document" "lambda_only" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "detector" {
  name                 = var.detector_role_name
  assume_role_policy   = data.aws_iam_policy_document.lambda_only.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "detector" {
  name   = "detector"
  role   = aws_iam_role.detector.id
  policy = templatefile("${path.module}/policies/detector.json.tftpl", local.policy_values)
}

resource "aws_iam_role" "responder" {
  name                 = var.responder_role_name
  assume_role_policy   = data.aws_iam_policy_document.lambda_only.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "responder" {
  name   = "responder"
  role   = aws_iam_role.responder.id
  policy = templatefile("${path.module}/policies/responder.json.tftpl", local.policy_values)
}

resource "aws_lambda_function" "detector" {
  function_name                  = "${var.name}-detector"
  description                    = "Reads CloudTrail, names agents, judges their calls, plans"
  role                           = aws_iam_role.detector.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = var.memory_size
  timeout                        = 120
  reserved_concurrent_executions = var.detector_concurrency

  environment {
    variables = merge(local.environment, {
      TRIPLINE_ROLE                  = "detector"
      TRIPLINE_DEAD_LETTER_QUEUE_URL = aws_sqs_queue.detector_dead_letters.url
    })
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.detector.name
  }

  depends_on = [aws_iam_role_policy.detector]
}

resource "aws_lambda_function" "responder" {
  function_name                  = "${var.name}-responder"
  description                    = "Carries out plans within mode and brakes, tells people, gives back"
  role                           = aws_iam_role.responder.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = var.memory_size
  timeout                        = 120
  reserved_concurrent_executions = var.responder_concurrency

  environment {
    variables = merge(local.environment, {
      TRIPLINE_ROLE                 = "responder"
      TRIPLINE_SLACK_WEBHOOK_SECRET = var.slack_webhook_secret
      TRIPLINE_APPROVALS_URL        = var.answers ? aws_lambda_function_url.desk[0].function_url : ""
    })
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.responder.name
  }

  depends_on = [aws_iam_role_policy.responder]
}

resource "aws_lambda_function_event_invoke_config" "late_ticks_are_dropped" {
  for_each                     = toset([aws_lambda_function.detector.function_name, aws_lambda_function.responder.function_name])
  function_name                = each.value
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
