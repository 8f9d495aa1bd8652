# Encrypted with SQS's own key: with a key of KMS each message would be a logged call, and each logged
# call a message of the fast path, without end.

resource "aws_sqs_queue" "objects" {
  name                       = "${var.name}-objects"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 720
  message_retention_seconds  = 345600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.detector_dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "calls" {
  name                       = "${var.name}-calls"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 720
  message_retention_seconds  = 86400
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.detector_dead_letters.arn
    maxReceiveCount     = 3
  })
}

# Old news never kills, hence four hours.
resource "aws_sqs_queue" "plans" {
  name                       = "${var.name}-plans"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 720
  message_retention_seconds  = 14400
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.plan_dead_letters.arn
    maxReceiveCount     = 3
  })
}

resource "aws_sqs_queue" "detector_dead_letters" {
  name                      = "${var.name}-detector-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "plan_dead_letters" {
  name                      = "${var.name}-plan-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

locals {
  # Who may send to the queue of new files.
  announcers = {
    eventbridge = {
      Sid       = "RuleAnnouncesFiles"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.objects.arn
      Condition = {
        ArnEquals    = { "aws:SourceArn" = one(aws_cloudwatch_event_rule.objects[*].arn) }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    }
    sns = {
      Sid       = "TopicAnnouncesFiles"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.objects.arn
      Condition = { ArnEquals = { "aws:SourceArn" = var.object_topic_arn } }
    }
    sqs = {
      Sid       = "BucketAnnouncesFiles"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.objects.arn
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:${local.partition}:s3:::${var.trail_bucket}" }
        StringEquals = { "aws:SourceAccount" = var.trail_bucket_account == "" ? local.account : var.trail_bucket_account }
      }
    }
  }

  over_tls_only = {
    Sid       = "OverTlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  # An agent with sqs:* on everything could announce files that nobody wrote.
  services_only = {
    Sid       = "NobodyButServicesSends"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:SendMessage"
    Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
  }
}

resource "aws_sqs_queue_policy" "objects" {
  queue_url = aws_sqs_queue.objects.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.announcers[var.object_events],
      merge(local.services_only, { Resource = aws_sqs_queue.objects.arn }),
      merge(local.over_tls_only, { Resource = aws_sqs_queue.objects.arn }),
    ]
  })
}

resource "aws_sqs_queue_policy" "calls" {
  queue_url = aws_sqs_queue.calls.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RuleSendsCalls"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.calls.arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = aws_cloudwatch_event_rule.calls.arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      merge(local.services_only, { Resource = aws_sqs_queue.calls.arn }),
      merge(local.over_tls_only, { Resource = aws_sqs_queue.calls.arn }),
    ]
  })
}

# Who can write here can have agents stopped, and who can read here can keep them from it.
resource "aws_sqs_queue_policy" "plans" {
  queue_url = aws_sqs_queue.plans.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "NobodyButTheDetectorSends"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.plans.arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.detector_role_arn } }
      },
      {
        Sid       = "NobodyButTheResponderTakes"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        Resource  = aws_sqs_queue.plans.arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.responder_role_arn } }
      },
      merge(local.over_tls_only, { Resource = aws_sqs_queue.plans.arn }),
    ]
  })
}

resource "aws_sqs_queue_policy" "detector_dead_letters" {
  queue_url = aws_sqs_queue.detector_dead_letters.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RulesLeaveWhatTheyCannotDeliver"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.detector_dead_letters.arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = concat([aws_cloudwatch_event_rule.calls.arn], aws_cloudwatch_event_rule.objects[*].arn) }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      merge(local.over_tls_only, { Resource = aws_sqs_queue.detector_dead_letters.arn }),
    ]
  })
}

resource "aws_sqs_queue_policy" "plan_dead_letters" {
  queue_url = aws_sqs_queue.plan_dead_letters.id
  policy    = jsonencode({ Version = "2012-10-17", Statement = [merge(local.over_tls_only, { Resource = aws_sqs_queue.plan_dead_letters.arn })] })
}

resource "aws_lambda_event_source_mapping" "objects" {
  event_source_arn        = aws_sqs_queue.objects.arn
  function_name           = aws_lambda_function.detector.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = 5
  }
}

resource "aws_lambda_event_source_mapping" "calls" {
  event_source_arn                   = aws_sqs_queue.calls.arn
  function_name                      = aws_lambda_function.detector.arn
  batch_size                         = 500
  maximum_batching_window_in_seconds = 1
  function_response_types            = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = 4
  }
}

resource "aws_lambda_event_source_mapping" "plans" {
  event_source_arn        = aws_sqs_queue.plans.arn
  function_name           = aws_lambda_function.responder.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = 2
  }
}
