"""What cfn-lint does not know of our templates: who may do what, and that two sources say the same.

Run by deploy/check with cfn-lint's Python. Conditions of a template are taken as true, all of them, so
that every statement that can be there is looked at.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ACCOUNT, REGION, STACK = "111122223333", "eu-central-1", "tripline"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
# What a deployment with everything in it would be given.
GIVEN = {
    "Answers": "on",
    "AnswerSecretArns": ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:tripline/slack-signs-abcdef", "arn:aws:ssm:eu-central-1:111122223333:parameter/tripline/link-key"],
    "ChannelSecretArns": ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:tripline/teams-abcdef", "arn:aws:ssm:eu-central-1:111122223333:parameter/tripline/alice"],
    "ChannelTopicArns": ["arn:aws:sns:eu-central-1:111122223333:incidents"],
    "ConfigBucket": "settings",
    "ContainPath": "agents/",
    "HubAccount": "444455556666",
    "KmsKeyArns": ["arn:aws:kms:eu-central-1:111122223333:key/trail"],
    "Mode": "enforce",
    "OrgId": "o-exampleorgid",
    "ProtectedArns": ["arn:aws:iam::111122223333:role/BreakGlass"],
    "SlackKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/slack",
    "SlackWebhookSecret": "tripline/webhook",
    "TrailBucket": "trail",
}
# ARNs of parts, in both sources.
PARTS = {
    "Calls.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:calls",
    "Objects.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:objects",
    "Presses.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:presses",
    "Plans.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:plans",
    "DetectorDeadLetters.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters",
    "Table.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/state",
}
NOTHING = object()
failures = []


def check(holds, what):
    if not holds:
        failures.append(what)


class Loader(yaml.SafeLoader):
    pass


def intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Loader.add_multi_constructor("!", intrinsic)


def text_of(values, name):
    if name in PSEUDO:
        return PSEUDO[name]
    return str(values.get(name, f"<{name}>"))


def resolved(node, values):
    """The value, as CloudFormation would have it."""
    if isinstance(node, list):
        return [item for item in (resolved(item, values) for item in node) if item is not NOTHING]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        (name, argument), = node.items()
        if name == "Ref":
            if argument == "AWS::NoValue":
                return NOTHING
            return values[argument] if argument in values else text_of(values, argument)
        if name == "Fn::GetAtt":
            part = ".".join(argument)
            return PARTS.get(part, f"<{part}>")
        if name == "Fn::If":
            return resolved(argument[1], values)
        if name == "Fn::Join":
            return argument[0].join(resolved(argument[1], values))
        if name == "Fn::Split":
            return resolved(argument[1], values).split(argument[0])
        if name == "Fn::Sub":
            template, local = argument if isinstance(argument, list) else (argument, {})
            local = {key: resolved(value, values) for key, value in local.items()}
            known = {**values, **local}
            return re.sub(r"\$\{([^}]+)\}", lambda found: text_of(known, found[1]), template)
    pairs = ((key, resolved(value, values)) for key, value in node.items())
    return {key: value for key, value in pairs if value is not NOTHING}


def load(path):
    source = path.read_text()
    check(not re.search(r"[:-] [&*][a-z]", source), f"{path.name}: CloudFormation knows no YAML aliases")
    template = yaml.load(source, Loader)
    values = {name: parameter["Default"] for name, parameter in template["Parameters"].items() if "Default" in parameter}
    values.update({name: value for name, value in GIVEN.items() if name in template["Parameters"]})
    return {name: {**part, "Properties": resolved(part["Properties"], values)} for name, part in template["Resources"].items()}


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(parts, role):
    policies = parts[role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def allowed(of, service):
    return {action for statement in of if statement["Effect"] == "Allow" for action in listed(statement["Action"]) if action.startswith(service)}


def calls_of_the_program():
    """The IAM actions of the responder's client, by the calls in its source."""
    source = (HERE.parent / "crates/tripline-aws/src/iam.rs").read_text()
    source = re.sub(r"\s*\.\s*", ".", source)
    names = set(re.findall(r"\biam\.([a-z_]+)\(\)", source))
    actions = {"iam:" + "".join(word.capitalize() for word in name.split("_")) for name in names}
    # `find` searches a whole account where the action log was lost. IAM holds it to no resource, and a
    # person does it with a role of their own.
    search = "iam:GetAccountAuthorizationDetails"
    check(search in actions, "iam.rs: the calls are not found by their form any more")
    return actions - {search}


READS = ("Get", "List", "Simulate", "Generate")


def is_write(action):
    verb = action.split(":")[1]
    return verb == "*" or not verb.startswith(READS)


def check_roles(file, parts):
    for name, part in parts.items():
        if part["Type"] != "AWS::IAM::Role":
            continue
        trust = part["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for statement in trust:
            check(statement["Principal"] != "*" and "*" not in json.dumps(statement["Principal"]), f"{file} {name}: trusts anybody")
        for statement in statements(parts, name):
            where = f"{file} {name} {statement.get('Sid')}"
            actions, resources = listed(statement["Action"]), listed(statement["Resource"])
            check("NotAction" not in statement and "NotResource" not in statement, f"{where}: says what it is not about")
            if any(action == "*" or action.startswith("iam:") for action in actions):
                check("*" not in resources, f"{where}: IAM on any resource")
            if statement["Effect"] != "Allow":
                continue
            check(not any("*" in action for action in actions), f"{where}: allows actions by wildcard")
            if "*" in resources:
                check(actions == ["cloudtrail:LookupEvents"], f"{where}: any resource")
            writes = [action for action in actions if action.startswith("iam:") and is_write(action)]
            own = all(":policy/TriplineContainment-" in resource for resource in resources)
            by_path = all(re.search(r":(role|user)/agents/\*$", resource) for resource in resources)
            tag = statement.get("Condition", {}).get("StringEquals", {}).get("iam:ResourceTag/tripline:contain")
            check(not writes or own or by_path or tag == "allowed", f"{where}: writes to what did not opt in")
            if {"iam:AttachRolePolicy", "iam:AttachUserPolicy"} & set(actions):
                policy = statement["Condition"]["ArnLike"]["iam:PolicyARN"]
                check(policy.endswith(":policy/TriplineContainment-*"), f"{where}: attaches any policy")


def check_responder(file, of):
    program, role = calls_of_the_program(), allowed(of, "iam:")
    check(role == program, f"{file}: the responder's role and iam.rs differ: {sorted(role ^ program)}")
    source = (HERE.parent / "crates/tripline-aws/src/logs/history.rs").read_text()
    asks = {"cloudtrail:LookupEvents"} if ".lookup_events()" in source else set()
    check(allowed(of, "cloudtrail:") == asks, f"{file}: the responder's role and history.rs differ")
    spared = {resource for statement in of if statement["Effect"] == "Deny" and listed(statement["Action"]) == ["iam:*"] for resource in listed(statement["Resource"])}
    return spared


def check_entrances(file, parts):
    """Every queue, topic, function and bus takes from those named only."""
    guarded = {listed(part["Properties"][key])[0] for part in parts.values() for key in ("Queues", "Topics") if key in part["Properties"]}
    for name, part in parts.items():
        properties = part["Properties"]
        if part["Type"] in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
            check(f"<{name}>" in guarded, f"{file} {name}: no policy")
        if part["Type"] == "AWS::SQS::Queue":
            check(properties.get("SqsManagedSseEnabled") is True, f"{file} {name}: not encrypted by SQS")
        if part["Type"] == "AWS::Lambda::Permission" and properties["Principal"] == "*":
            # Whoever presses has no credentials of AWS; the desk is made for that, and calls by its URL only.
            is_desk = properties["FunctionName"] == "<Desk.Arn>"
            by_url = properties.get("FunctionUrlAuthType") == "NONE" or properties.get("InvokedViaFunctionUrl") is True
            check(is_desk and by_url, f"{file} {name}: lets in anybody")
        elif part["Type"] == "AWS::Lambda::Permission":
            check("SourceArn" in properties and "SourceAccount" in properties, f"{file} {name}: lets in anybody's")
        if part["Type"] in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Events::EventBusPolicy"):
            policy = properties.get("PolicyDocument") or {"Statement": [properties["Statement"]]}
            for statement in policy["Statement"]:
                keys = {key for operator in statement.get("Condition", {}).values() for key in operator}
                narrow = keys & {"aws:SourceArn", "aws:SourceAccount", "aws:PrincipalOrgID"}
                check(statement["Effect"] == "Deny" or narrow, f"{file} {name} {statement.get('Sid')}: lets in anybody")


def rendered_by_terraform(name):
    """The role's policy as the module renders it, for the same values."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-"
    values = {
        "account": ACCOUNT,
        "answer_secret_arns": GIVEN["AnswerSecretArns"],
        "bind_roles": True,
        "calls_arn": PARTS["Calls.Arn"],
        "config_bucket": GIVEN["ConfigBucket"],
        "config_prefix": "tripline/",
        "contain_path": GIVEN["ContainPath"],
        "desk_arn": arn + "desk",
        "desk_logs_arn": "<DeskLogs.Arn>",
        "detector_arn": arn + "detector",
        "detector_logs_arn": "<DetectorLogs.Arn>",
        "detector_role_name": "TriplineDetector",
        "channel_secret_arns": GIVEN["ChannelSecretArns"],
        "channel_topic_arns": GIVEN["ChannelTopicArns"],
        "dns_suffix": "amazonaws.com",
        "kms_key_arns": GIVEN["KmsKeyArns"],
        "may_write": True,
        "objects_arn": PARTS["Objects.Arn"],
        "org_id": GIVEN["OrgId"],
        "partition": "aws",
        "plans_arn": PARTS["Plans.Arn"],
        "presses_arn": PARTS["Presses.Arn"],
        "dead_letters_arn": PARTS["DetectorDeadLetters.Arn"],
        "protected_arns": GIVEN["ProtectedArns"],
        "region": REGION,
        "responder_arn": arn + "responder",
        "responder_logs_arn": "<ResponderLogs.Arn>",
        "responder_role_name": "TriplineResponder",
        "slack_key_arn": GIVEN["SlackKeyArn"],
        "slack_webhook_secret": GIVEN["SlackWebhookSecret"],
        "table_arn": PARTS["Table.Arn"],
        "trail_bucket": GIVEN["TrailBucket"],
        "trail_prefix": "AWSLogs/",
    }
    template = HERE / "terraform/policies" / f"{name}.json.tftpl"
    with tempfile.TemporaryDirectory() as empty:
        given = pathlib.Path(empty) / "values.json"
        given.write_text(json.dumps(values))
        ask = f'base64encode(templatefile("{template}", jsondecode(file("{given}"))))\n'
        answer = subprocess.run(["terraform", "console"], input=ask, cwd=empty, capture_output=True, text=True, check=False)
    encoded = re.search(r'"([A-Za-z0-9+/=]+)"', answer.stdout)
    if answer.returncode or not encoded:
        check(False, f"terraform does not render {template.name}: {answer.stderr}")
        return []
    return json.loads(base64.b64decode(encoded[1]))["Statement"]


def ordered(of):
    # A log group's ARN ends in ":*" in CloudFormation and does not in Terraform.
    text = json.dumps([{**one, "Action": sorted(listed(one["Action"])), "Resource": sorted(listed(one["Resource"]))} for one in of], sort_keys=True)
    return sorted(json.dumps(one, sort_keys=True) for one in json.loads(text.replace("Logs.Arn>:*", "Logs.Arn>")))


def decided(asks):
    """What a policy evaluator of other authors makes of them: tests/aws/oracle.mjs."""
    oracle = [shutil.which("node"), str(HERE.parent / "tests/aws/oracle.mjs"), os.environ["TRIPLINE_COMPONENTS"] + "/node"]
    lines = "".join(json.dumps(ask) + "\n" for ask in asks)
    answer = subprocess.run(oracle, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["decision"] for line in answer.stdout.splitlines()]


def check_decisions(file, role, of, principal, context):
    """What the role comes to, by action, resource and the resource's tags."""
    roles, users, policies = (f"arn:aws:iam::{ACCOUNT}:{kind}/" for kind in ("role", "user", "policy"))
    opted = {"iam:ResourceTag/tripline:contain": "allowed"}
    ours = {"iam:PolicyARN": policies + "TriplineContainment-role-Runtime"}
    theirs = {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}
    acts = role == "responder"
    expected = [
        (acts, "iam:GetRole", roles + "Runtime", {}),
        (acts, "iam:ListPolicyVersions", policies + "TriplineContainment-role-Runtime", {}),
        (acts, "iam:PutRolePolicy", roles + "Runtime", opted),
        (acts, "iam:PutRolePolicy", roles + "agents/Runtime", {}),
        (acts, "iam:UpdateAssumeRolePolicy", roles + "service/Runtime", opted),
        (acts, "iam:UpdateAccessKey", users + "bot", opted),
        (acts, "iam:AttachRolePolicy", roles + "Runtime", {**opted, **ours}),
        (acts, "iam:DetachUserPolicy", users + "agents/bot", ours),
        (acts, "iam:CreatePolicy", policies + "TriplineContainment-role-Runtime", {}),
        (False, "iam:PutRolePolicy", roles + "Runtime", {}),
        (False, "iam:PutRolePolicy", roles + "Runtime", {"iam:ResourceTag/tripline:contain": "no"}),
        (False, "iam:PutRolePolicy", roles + "agentsRuntime", {}),
        (False, "iam:PutRolePolicy", roles + "TriplineResponder", opted),
        (False, "iam:PutRolePolicy", roles + "BreakGlass", opted),
        (False, "iam:AttachRolePolicy", roles + "Runtime", {**opted, **theirs}),
        (False, "iam:AttachUserPolicy", users + "agents/bot", theirs),
        (False, "iam:CreatePolicy", policies + "Other", {}),
        (False, "iam:CreateAccessKey", users + "bot", opted),
        (False, "iam:CreateRole", roles + "agents/Runtime", opted),
        (False, "iam:DeleteRole", roles + "Runtime", opted),
        (False, "iam:PassRole", roles + "Runtime", opted),
        (False, "iam:TagRole", roles + "Runtime", {}),
    ]
    if role == "detector":
        itself = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-detector"}
        expected += [
            (True, "sqs:SendMessage", PARTS["Plans.Arn"], itself),
            (False, "sqs:SendMessage", PARTS["Plans.Arn"], {}),
            (False, "sqs:ReceiveMessage", PARTS["Plans.Arn"], itself),
            (True, "dynamodb:PutItem", PARTS["Table.Arn"], {"dynamodb:LeadingKeys": ["session#1"]}),
            (True, "dynamodb:GetItem", PARTS["Table.Arn"], {"dynamodb:LeadingKeys": ["responder#brakes"]}),
            (False, "dynamodb:PutItem", PARTS["Table.Arn"], {"dynamodb:LeadingKeys": ["responder#brakes"]}),
            (False, "dynamodb:UpdateItem", PARTS["Table.Arn"], {"dynamodb:LeadingKeys": ["session#1", "responder#log"]}),
            (False, "dynamodb:DeleteTable", PARTS["Table.Arn"], {}),
        ]
    if role == "desk":
        itself = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-desk"}
        expected += [
            (True, "sqs:SendMessage", PARTS["Presses.Arn"], itself),
            (False, "sqs:SendMessage", PARTS["Presses.Arn"], {}),
            (False, "sqs:SendMessage", PARTS["Plans.Arn"], itself),
            (False, "dynamodb:GetItem", PARTS["Table.Arn"], itself),
            (False, "dynamodb:PutItem", PARTS["Table.Arn"], {**itself, "dynamodb:LeadingKeys": ["responder#action-log"]}),
            (True, "secretsmanager:GetSecretValue", GIVEN["AnswerSecretArns"][0], {}),
            (False, "secretsmanager:GetSecretValue", GIVEN["ChannelSecretArns"][0], {}),
            (True, "ssm:GetParameter", GIVEN["AnswerSecretArns"][1], {}),
            (False, "ssm:GetParameter", GIVEN["ChannelSecretArns"][1], {}),
            (False, "ssm:PutParameter", GIVEN["AnswerSecretArns"][1], {}),
        ]
    if role == "responder" and file == "template.yaml":
        expected += [
            (True, "ssm:GetParameter", GIVEN["ChannelSecretArns"][1], {}),
            (True, "ssm:GetParameter", GIVEN["AnswerSecretArns"][1], {}),
            (False, "ssm:GetParameter", "arn:aws:ssm:eu-central-1:111122223333:parameter/other", {}),
            (False, "ssm:PutParameter", GIVEN["ChannelSecretArns"][1], {}),
        ]
    asks = [
        {"alone": True, "principal": principal, "action": action, "resource": resource,
         "context": {**context, **tags}, "identity": {"Version": "2012-10-17", "Statement": of}}
        for _, action, resource, tags in expected
    ]
    for (allows, action, resource, tags), decision in zip(expected, decided(asks)):
        want = ("Allowed",) if allows else ("ImplicitlyDenied", "ExplicitlyDenied")
        check(decision in want, f"{file}: {role} {action} on {resource} {tags}: {decision}")
    return len(expected)


def main():
    with_terraform = "--terraform" in sys.argv
    templates = {str(path.relative_to(HERE)): load(path) for path in [HERE / "template.yaml", *sorted((HERE / "hub").glob("*.yaml"))]}
    for file, parts in templates.items():
        check_roles(file, parts)
        check_entrances(file, parts)

    live = templates["template.yaml"]
    detector, responder, desk = (statements(live, name + "Role") for name in ("Detector", "Responder", "Desk"))
    rights = {action for statement in desk if statement["Effect"] == "Allow" for action in listed(statement["Action"])}
    passes_on = {"sqs:SendMessage", "secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt", "s3:GetObject", "logs:CreateLogStream", "logs:PutLogEvents"}
    check(rights == passes_on, f"template.yaml: the desk may do more than pass on: {sorted(rights ^ passes_on)}")
    check(not allowed(detector, "iam:") and not allowed(detector, "sts:"), "template.yaml: the detector has rights in IAM")
    roles = {f"arn:aws:iam::{ACCOUNT}:role/Tripline{name}" for name in ("Detector", "Responder")}
    check(roles <= check_responder("template.yaml", responder), "template.yaml: the responder may change itself or the detector")
    rule = live["CallRule"]["Properties"]
    check(rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "template.yaml: no mint is ever seen")
    check(all(name in live for name in ("PlanDeadLettersAlarm", "ResponderWrites", "SilenceAlarm")), "template.yaml: an alarm is gone")

    member = statements(templates["hub/responder-role.yaml"], "ResponderRole")
    spared = check_responder("hub/responder-role.yaml", member)
    check(f"arn:aws:iam::{ACCOUNT}:role/TriplineResponder" in spared, "hub: the responder may change itself")

    guard = templates["hub/protect.yaml"]["Guard"]["Properties"]["Content"]
    check(all(statement["Effect"] == "Deny" for statement in guard["Statement"]), "hub/protect.yaml: not all Denies")
    length = len(json.dumps(guard, separators=(",", ":")))
    check(length <= 5120, f"hub/protect.yaml: {length} characters; some organizations are at 5,120 still")

    decisions = 0
    if shutil.which("node") and os.path.isdir(os.environ.get("TRIPLINE_COMPONENTS", "") + "/node"):
        for file, role, of, context in (
            ("template.yaml", "detector", detector, {}),
            ("template.yaml", "desk", desk, {}),
            ("template.yaml", "responder", responder, {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-responder"}),
            ("template.yaml", "the responder's role in another function", responder, {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"}),
            ("template.yaml", "the responder's role in no function", responder, {}),
            ("hub/responder-role.yaml", "responder", member, {}),
        ):
            session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ {'detector': 'TriplineDetector', 'desk': 'tripline-desk'}.get(role, 'TriplineResponder') }/it"
            decisions += check_decisions(file, role, of, session, context)
    else:
        check(os.environ.get("CI") != "true", "the components of tests/run are not installed")
        print("skipped: no policy evaluator is installed (tests/components), so decisions are not tried", file=sys.stderr)

    if with_terraform:
        for name, of in (("detector", detector), ("responder", responder), ("desk", desk)):
            theirs = rendered_by_terraform(name)
            for one in sorted(set(ordered(of)) ^ set(ordered(theirs))):
                side = "template.yaml" if one in ordered(of) else "terraform"
                check(False, f"the {name}'s policy, only in {side}: {one}")

    readme = (HERE / "README.md").read_text()
    named = set(re.findall(r"TRIPLINE_[A-Z_]+", (HERE / "template.yaml").read_text() + (HERE / "terraform/main.tf").read_text()))
    check(all(f"`{name}`" in readme for name in named), f"README.md names not all of {sorted(named)}")

    for failure in failures:
        print(failure, file=sys.stderr)
    if not failures:
        print(f"{len(templates)} templates: roles, entrances and alarms are as they should be; {decisions} decisions tried")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
