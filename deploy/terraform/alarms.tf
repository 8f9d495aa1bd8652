resource "aws_sns_topic" "alarms" {
  count        = var.alarm_topic_arn == "" ? 1 : 0
  name         = "${var.name}-alarms"
  display_name = "Tripline"
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.alarm_topic_arn == "" ? 1 : 0
  arn   = aws_sns_topic.alarms[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:*" }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      {
        Sid       = "RulesOfThisModule"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.watch : rule.arn] }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.alarm_topic_arn == "" && var.alarm_email != "" ? 1 : 0
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  watch = {
    # PutRolePolicy is an administrator's power. Each of these belongs to a kill, a fence or a restore
    # in the action log; one that does not is somebody else with the responder's credentials.
    responder-writes = {
      description = "The responder's own writes to IAM, here and in member accounts"
      pattern = {
        source      = ["aws.iam"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          readOnly     = [false]
          userIdentity = { sessionContext = { sessionIssuer = { arn = [{ wildcard = "arn:${local.partition}:iam::*:role/${var.responder_role_name}" }] } } }
        }
      }
      template = "\"Tripline: the responder role called <what> in account <where> at <when> (event <id>). `tripline log verify` and `tripline status` must know of it; if they do not, somebody else acts as the responder.\""
    }
    # No news looks like calm. Changes by this module show up here as well.
    tampering = {
      description = "Changes of Tripline's own parts, and of the trail"
      pattern = {
        source      = [{ prefix = "aws." }]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          readOnly = [false]
          "$or" = [
            { eventSource = ["iam.amazonaws.com"], requestParameters = { roleName = [var.detector_role_name, var.responder_role_name] } },
            { eventSource = ["lambda.amazonaws.com"], requestParameters = { functionName = [{ wildcard = "*${var.name}-*" }] } },
            { eventSource = ["events.amazonaws.com"], requestParameters = { name = [{ prefix = "${var.name}-" }] } },
            { eventSource = ["events.amazonaws.com"], requestParameters = { rule = [{ prefix = "${var.name}-" }] } },
            { eventSource = ["sqs.amazonaws.com"], requestParameters = { queueUrl = [{ wildcard = "*/${var.name}-*" }] } },
            { eventSource = ["dynamodb.amazonaws.com"], requestParameters = { tableName = [{ wildcard = "*${var.name}-*" }] } },
            { eventSource = ["cloudtrail.amazonaws.com"], eventName = ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"] },
          ]
        }
      }
      template = "\"Tripline: <what> in account <where> at <when> changed a part of Tripline or a trail (event <id>).\""
    }
  }

  queue_alarms = merge({
    detector-dead-letters = { queue = aws_sqs_queue.detector_dead_letters.name, metric = "ApproximateNumberOfMessagesVisible", threshold = 0, periods = 1, period = 300, description = "Records that the detector could not read, or that could not be delivered to it" }
    plan-dead-letters     = { queue = aws_sqs_queue.plan_dead_letters.name, metric = "ApproximateNumberOfMessagesVisible", threshold = 0, periods = 1, period = 60, description = "Plans that were never carried out; whom they name is still at large" }
    objects-age           = { queue = aws_sqs_queue.objects.name, metric = "ApproximateAgeOfOldestMessage", threshold = 600, periods = 3, period = 60, description = "Log files wait for ten minutes and more" }
    calls-age             = { queue = aws_sqs_queue.calls.name, metric = "ApproximateAgeOfOldestMessage", threshold = 120, periods = 3, period = 60, description = "The fast path is two minutes behind and more" }
    plans-age             = { queue = aws_sqs_queue.plans.name, metric = "ApproximateAgeOfOldestMessage", threshold = 60, periods = 1, period = 60, description = "A plan waits for a minute and more" }
    }, !var.answers ? {} : {
    presses-age = { queue = aws_sqs_queue.presses[0].name, metric = "ApproximateAgeOfOldestMessage", threshold = 60, periods = 1, period = 60, description = "What somebody pressed waits for a minute and more" }
  })

  function_alarms = merge(!var.answers ? {} : {
    "desk-errors"                    = { function = aws_lambda_function.desk[0].function_name, metric = "Errors", operator = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", description = "The desk fails, so nobody can answer from the chat" }
    }, [for role, name in { detector = aws_lambda_function.detector.function_name, responder = aws_lambda_function.responder.function_name } : {
      "${role}-errors"               = { function = name, metric = "Errors", operator = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", description = "The ${role} fails" }
      "${role}-throttles"            = { function = name, metric = "Throttles", operator = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", description = "The ${role} is held back by the concurrency that it has" }
      "${role}-heartbeat"            = { function = name, metric = "Invocations", operator = "LessThanThreshold", threshold = 1, missing = "breaching", description = "The ${role} was not woken for five minutes" }
  }]...)
}

resource "aws_cloudwatch_event_rule" "watch" {
  for_each      = local.watch
  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
}

resource "aws_cloudwatch_event_target" "watch" {
  for_each  = local.watch
  rule      = aws_cloudwatch_event_rule.watch[each.key].name
  target_id = "Topic"
  arn       = local.topic_arn
  input_transformer {
    input_paths    = { what = "$.detail.eventName", where = "$.account", when = "$.time", id = "$.detail.eventID" }
    input_template = each.value.template
  }
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each            = local.queue_alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = each.value.period
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

# A trail delivers a file every few minutes where anything happens at all.
resource "aws_cloudwatch_metric_alarm" "silence" {
  alarm_name          = "${var.name}-silence"
  alarm_description   = "No log file for an hour: is the trail still on, and the notification in place?"
  namespace           = "AWS/SQS"
  metric_name         = "NumberOfMessagesSent"
  dimensions          = { QueueName = aws_sqs_queue.objects.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each            = local.function_alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = each.value.threshold
  comparison_operator = each.value.operator
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}
