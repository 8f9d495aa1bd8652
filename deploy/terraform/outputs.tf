output "detector_role_arn" {
  description = "Let this role read the trail's bucket and decrypt with its key."
  value       = aws_iam_role.detector.arn
}

output "responder_role_arn" {
  description = "Whom responder roles of member accounts trust, and the guard policy spares."
  value       = aws_iam_role.responder.arn
}

output "object_queue_arn" {
  description = "Where S3 notifications go, where object_events is sqs."
  value       = aws_sqs_queue.objects.arn
}

output "event_bus_arn" {
  description = "Where forwarders of other accounts and Regions send to."
  value       = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
}

output "table_name" {
  description = "The table, which holds the action log."
  value       = aws_dynamodb_table.state.name
}

output "desk_url" {
  description = "What Slack posts to, with slack behind it (Interactivity, Request URL)."
  value       = one(aws_lambda_function_url.desk[*].function_url)
}

output "plan_dead_letters_url" {
  description = "Plans that were never carried out."
  value       = aws_sqs_queue.plan_dead_letters.url
}

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = local.topic_arn
}
