variable "name" {
  description = "What the names of all parts begin with."
  type        = string
  default     = "tripline"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "A short name of lower-case letters, digits and hyphens."
  }
}

variable "package" {
  description = "The package of both functions (cargo xtask package)."
  type        = string
}

variable "architecture" {
  description = "What the package was built for."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "mode" {
  description = "In observe and recommend the responder's role has no write to IAM at all."
  type        = string
  default     = "observe"
  validation {
    condition     = contains(["observe", "recommend", "approve", "enforce"], var.mode)
    error_message = "observe, recommend, approve or enforce."
  }
}

variable "trail_bucket" {
  description = "The bucket that the trail delivers to; it may be another account's."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.trail_bucket))
    error_message = "The name of a bucket."
  }
}

variable "trail_bucket_account" {
  description = "The account of the bucket, if not this one."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([0-9]{12})?$", var.trail_bucket_account))
    error_message = "Twelve digits."
  }
}

variable "trail_prefix" {
  description = "What the keys of log files begin with."
  type        = string
  default     = "AWSLogs/"
  validation {
    condition     = can(regex("^[^*?$]*$", var.trail_prefix))
    error_message = "No wildcards."
  }
}

variable "object_events" {
  description = "How a new log file is announced: eventbridge, sns (a topic), or sqs (by S3 straight to the queue)."
  type        = string
  default     = "eventbridge"
  validation {
    condition     = contains(["eventbridge", "sns", "sqs"], var.object_events)
    error_message = "eventbridge, sns or sqs."
  }
}

variable "object_topic_arn" {
  description = "The topic, where object_events is sns."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+)?$", var.object_topic_arn))
    error_message = "The ARN of a topic."
  }
}

variable "fast_path" {
  description = "Whether management events are also taken from EventBridge, minutes before their file comes."
  type        = bool
  default     = true
}

variable "kms_key_arns" {
  description = "Keys that the objects of the trail's and the configuration's bucket are encrypted with."
  type        = list(string)
  default     = []
}

variable "config_bucket" {
  description = "Bucket of tripline.toml and the baselines; empty for what is inside the package."
  type        = string
  default     = ""
}

variable "config_prefix" {
  description = "What their keys begin with."
  type        = string
  default     = "tripline/"
  validation {
    condition     = can(regex("^[^*?$]*$", var.config_prefix))
    error_message = "No wildcards."
  }
}

variable "accounts" {
  description = "Accounts whose records are believed; empty for this one alone."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "Twelve digits each."
  }
}

variable "org_id" {
  description = "The organization, if the responder is to act in its other accounts (deploy/hub)."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(o-[a-z0-9]{10,32})?$", var.org_id))
    error_message = "The id of an organization, such as o-exampleorgid."
  }
}

variable "contain_path" {
  description = "Roles and users below this path (such as agents/) opt in by it; others by the tag tripline:contain = allowed."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([A-Za-z0-9+=,.@_/-]+/)?$", var.contain_path))
    error_message = "A path without its first slash and with its last, such as agents/."
  }
}

variable "protected_arns" {
  description = "Roles and users that the responder may never change, whatever their tags."
  type        = list(string)
  default     = []
}

variable "detector_role_name" {
  description = "Name of the detector's role."
  type        = string
  default     = "TriplineDetector"
}

variable "responder_role_name" {
  description = "Name of the responder's role, here and in every other account (containment.responder_role)."
  type        = string
  default     = "TriplineResponder"
}

variable "bind_roles" {
  description = "Whether the roles are of use to their own functions only (lambda:SourceFunctionArn); false where an emulator does not know that."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "Boundary of both roles, where the organization asks for one."
  type        = string
  default     = null
}

variable "brakes" {
  description = "What the program may do on its own, in place of [brakes] of the configuration."
  type = object({
    kills_per_hour             = optional(number, 6)
    kills_per_hour_per_account = optional(number, 3)
    kills_per_hour_per_class   = optional(number, 2)
    cool_down_minutes          = optional(number, 30)
  })
  default = {}
  validation {
    condition     = alltrue([for value in values(var.brakes) : value >= 0 && floor(value) == value])
    error_message = "Whole numbers, none below 0."
  }
}

variable "slack_webhook_secret" {
  description = "Name of the secret in Secrets Manager that is the webhook's address."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([A-Za-z0-9/_+=.@-]+)?$", var.slack_webhook_secret))
    error_message = "The name of a secret, not its ARN."
  }
}

variable "slack_key_arn" {
  description = "The customer key of that secret, if it has one."
  type        = string
  default     = ""
}

variable "channel_secret_arns" {
  description = "Secrets and parameters that [[channels]] and [[people]] of the configuration name, with their customer keys."
  type        = list(string)
  default     = []
}

variable "answers" {
  description = "Whether people may press buttons and links under messages ([approvals]); makes a function that anybody may call by its URL."
  type        = bool
  default     = false
}

variable "answer_secret_arns" {
  description = "Secrets and parameters that [approvals] of the configuration names, with their customer keys."
  type        = list(string)
  default     = []
}

variable "desk_concurrency" {
  description = "Reserved, which is also the most that whoever calls the desk can use up; -1 reserves and bounds nothing."
  type        = number
  default     = 2
  validation {
    condition     = var.desk_concurrency == -1 || var.desk_concurrency > 0
    error_message = "-1, or at least 1: 0 would switch the function off."
  }
}

variable "channel_topic_arns" {
  description = "Topics that [[channels]] of the configuration name."
  type        = list(string)
  default     = []
}

variable "alarm_topic_arn" {
  description = "Where alarms go; empty to make a topic."
  type        = string
  default     = ""
}

variable "alarm_email" {
  description = "Who is told, by the topic that is made here."
  type        = string
  default     = ""
}

variable "state_key_arn" {
  description = "Customer key of the table; null for the account's own aws/dynamodb."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the functions' logs are kept."
  type        = number
  default     = 365
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of the numbers of days that CloudWatch Logs knows."
  }
}

variable "detector_concurrency" {
  description = "Reserved, so that nobody else in the account can starve it; -1 reserves nothing."
  type        = number
  default     = 10
  validation {
    condition     = var.detector_concurrency == -1 || var.detector_concurrency > 0
    error_message = "-1, or at least 1: 0 would switch the function off."
  }
}

variable "responder_concurrency" {
  description = "The same of the responder."
  type        = number
  default     = 3
  validation {
    condition     = var.responder_concurrency == -1 || var.responder_concurrency > 0
    error_message = "-1, or at least 1: 0 would switch the function off."
  }
}

variable "memory_size" {
  description = "MB of memory of each function."
  type        = number
  default     = 1024
  validation {
    condition     = var.memory_size >= 256 && var.memory_size <= 10240
    error_message = "256 to 10240."
  }
}

variable "deletion_protection" {
  description = "Whether the table, which holds the action log, refuses to be deleted."
  type        = bool
  default     = true
}
