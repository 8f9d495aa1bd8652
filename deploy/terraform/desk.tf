# The function that anybody may call, by its URL, to say what was pressed. Its role passes that on, and
# can do nothing else.

resource "aws_sqs_queue" "presses" {
  count                      = var.answers ? 1 : 0
  name                       = "${var.name}-presses"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 720
  message_retention_seconds  = 3600
}

resource "aws_sqs_queue_policy" "presses" {
  count     = var.answers ? 1 : 0
  queue_url = aws_sqs_queue.presses[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "NobodyButTheDeskSends"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.presses[0].arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.desk[0].arn } }
      },
      {
        Sid       = "NobodyButTheResponderTakes"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        Resource  = aws_sqs_queue.presses[0].arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.responder_role_arn } }
      },
      merge(local.over_tls_only, { Resource = aws_sqs_queue.presses[0].arn }),
    ]
  })
}

resource "aws_lambda_event_source_mapping" "presses" {
  count                   = var.answers ? 1 : 0
  event_source_arn        = aws_sqs_queue.presses[0].arn
  function_name           = aws_lambda_function.responder.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_log_group" "desk" {
  count             = var.answers ? 1 : 0
  name              = "/tripline/${var.name}/desk"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "desk" {
  count                = var.answers ? 1 : 0
  name_prefix          = "${var.name}-desk-"
  assume_role_policy   = data.aws_iam_policy_document.lambda_only.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "desk" {
  count  = var.answers ? 1 : 0
  name   = "desk"
  role   = aws_iam_role.desk[0].id
  policy = templatefile("${path.module}/policies/desk.json.tftpl", local.policy_values)
}

resource "aws_lambda_function" "desk" {
  count                          = var.answers ? 1 : 0
  function_name                  = "${var.name}-desk"
  description                    = "Takes what people press under messages, and passes it on to the responder"
  role                           = aws_iam_role.desk[0].arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = 256
  timeout                        = 10
  reserved_concurrent_executions = var.desk_concurrency

  environment {
    variables = merge(local.environment, {
      TRIPLINE_ROLE            = "desk"
      TRIPLINE_PRESS_QUEUE_URL = aws_sqs_queue.presses[0].url
    })
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.desk[0].name
  }

  depends_on = [aws_iam_role_policy.desk]
}

# Slack and browsers have no credentials of AWS: what they send is signed, and the program checks it.
resource "aws_lambda_function_url" "desk" {
  count              = var.answers ? 1 : 0
  function_name      = aws_lambda_function.desk[0].function_name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "desk_url" {
  count                  = var.answers ? 1 : 0
  statement_id           = "AnybodyMayCallTheDesk"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.desk[0].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

# Providers of this range cannot hold it to calls by the URL (lambda:InvokedViaFunctionUrl), as the
# template does. Whoever calls the desk otherwise can say no more than by its URL.
resource "aws_lambda_permission" "desk" {
  count         = var.answers ? 1 : 0
  statement_id  = "AnybodyMayCallTheDeskByItsUrl"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.desk[0].function_name
  principal     = "*"
}
