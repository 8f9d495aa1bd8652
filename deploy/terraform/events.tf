resource "aws_cloudwatch_event_rule" "objects" {
  count       = var.object_events == "eventbridge" ? 1 : 0
  name        = "${var.name}-objects"
  description = "New files of the trail"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [var.trail_bucket] }
      object = { key = [{ prefix = var.trail_prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "objects" {
  count     = var.object_events == "eventbridge" ? 1 : 0
  rule      = aws_cloudwatch_event_rule.objects[0].name
  target_id = "Objects"
  arn       = aws_sqs_queue.objects.arn
  dead_letter_config {
    arn = aws_sqs_queue.detector_dead_letters.arn
  }
}

resource "aws_sns_topic_subscription" "objects" {
  count     = var.object_events == "sns" ? 1 : 0
  topic_arn = var.object_topic_arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.objects.arn
}

# AssumeRole counts as read-only: a rule that is merely ENABLED never sees a mint. Nobody but AWS can
# put an event on the bus whose source begins with "aws.", so these cannot be made up.
resource "aws_cloudwatch_event_rule" "calls" {
  name        = "${var.name}-calls"
  description = "Management events, read-only ones included"
  state       = var.fast_path ? "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" : "DISABLED"
  event_pattern = jsonencode({
    source      = [{ prefix = "aws." }]
    detail-type = ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"]
  })
}

resource "aws_cloudwatch_event_target" "calls" {
  rule      = aws_cloudwatch_event_rule.calls.name
  target_id = "Calls"
  arn       = aws_sqs_queue.calls.arn
  dead_letter_config {
    arn = aws_sqs_queue.detector_dead_letters.arn
  }
}

resource "aws_cloudwatch_event_permission" "forwarders" {
  count        = var.org_id == "" ? 0 : 1
  statement_id = "${var.name}-forwarders"
  principal    = "*"
  action       = "events:PutEvents"
  condition {
    type  = "StringEquals"
    key   = "aws:PrincipalOrgID"
    value = var.org_id
  }
}

resource "aws_cloudwatch_event_rule" "tick" {
  name                = "${var.name}-tick"
  description         = "Expiry of fences, time-outs, heartbeat, messages to be sent"
  schedule_expression = "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "tick" {
  for_each = {
    Detector  = aws_lambda_function.detector.arn
    Responder = aws_lambda_function.responder.arn
  }
  rule      = aws_cloudwatch_event_rule.tick.name
  target_id = each.key
  arn       = each.value
  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = "{\"tick\": \"<time>\"}"
  }
  # A tick that is late is worth nothing: the next one does its work.
  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 60
  }
}

resource "aws_lambda_permission" "tick" {
  for_each = {
    Detector  = aws_lambda_function.detector.function_name
    Responder = aws_lambda_function.responder.function_name
  }
  statement_id   = "Tick"
  action         = "lambda:InvokeFunction"
  function_name  = each.value
  principal      = "events.amazonaws.com"
  source_arn     = aws_cloudwatch_event_rule.tick.arn
  source_account = local.account
}
