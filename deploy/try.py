"""Applies template.yaml and hub/*.yaml to an emulator that enforces IAM, and tries the roles and rules."""

import io
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
import yaml
from botocore.exceptions import ClientError
from samtranslator.translator.transform import transform

from check import HERE, Loader

ACCOUNT = "123456789012"
STACK = "tripline"
# Stands in for both functions: answers each invocation with its environment.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as next:
        id, event = next.headers["Lambda-Runtime-Aws-Request-Id"], json.load(next)
    with open(LOG, "a") as log:
        log.write(json.dumps([os.environ["TRIPLINE_ROLE"], event]) + "\\n")
    answer = json.dumps({"environment": dict(os.environ), "batchItemFailures": []}).encode()
    urllib.request.urlopen(api + id + "/response", data=answer).close()
"""
DENY_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
ANYBODY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
failures = []


def check(holds, what):
    print("ok    " if holds else "WRONG ", what)
    if not holds:
        failures.append(what)


def packed(log):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as package:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o100755 << 16
        package.writestr(entry, BOOTSTRAP.replace("LOG", repr(log)))
    return into.getvalue()


def template(path):
    # The emulator speaks plain HTTP, which the queues refuse.
    text = path.read_text().replace('aws:SecureTransport: "false"', 'aws:SecureTransport: "never"')
    return yaml.load(text, Loader)


def apply(name, document, parameters):
    stacks = boto3.client("cloudformation")
    body = json.dumps(document, separators=(",", ":"), default=str)
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks.create_stack(StackName=name, TemplateBody=body, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
    for _ in range(120):
        stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.5)
    count = len(stacks.list_stack_resources(StackName=name)["StackResourceSummaries"])
    check(stack["StackStatus"] == "CREATE_COMPLETE", f"{name}: {stack['StackStatus']}, {count} resources {stack.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def may(expected, who, what, call):
    try:
        call()
        answer = True
    except ClientError as error:
        code = error.response["Error"]["Code"]
        answer = False if "AccessDenied" in code or "Authoriz" in code else code
    check(answer is expected, f"{who} {'may' if expected else 'may not'} {what}" + ("" if answer is expected else f": {answer}"))


def try_rules():
    events = boto3.client("events")
    rules = {rule["Name"].split("-")[1]: rule for rule in events.list_rules(NamePrefix=STACK)["Rules"] if "EventPattern" in rule}
    check(rules["CallRule"]["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "read-only calls are taken")
    event = {"version": "0", "id": "1", "account": ACCOUNT, "time": "2026-11-21T00:00:00Z", "region": "us-east-1", "resources": []}

    def matches(expected, what, source, detail, kind="AWS API Call via CloudTrail"):
        one = json.dumps({**event, "source": source, "detail-type": kind, "detail": detail})
        found = {name for name, rule in rules.items() if events.test_event_pattern(EventPattern=rule["EventPattern"], Event=one)["Result"]}
        check(found == set(expected), f"rules for {what}: {sorted(found)}")

    def call(source, name, **others):
        return {"eventSource": f"{source}.amazonaws.com", "eventName": name, "readOnly": name.startswith(("Get", "AssumeRole")), **others}

    by_responder = {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::444455556666:role/TriplineResponder"}}}
    both = ["CallRule", "Tampering"]
    matches(["CallRule"], "a mint", "aws.sts", call("sts", "AssumeRole"))
    matches([], "a forged event", "anybody", call("sts", "AssumeRole"))
    matches(["CallRule", "ResponderWrites"], "a write by the responder", "aws.iam", call("iam", "PutRolePolicy", userIdentity=by_responder, requestParameters={"roleName": "Agent"}))
    matches(["CallRule"], "a read by the responder", "aws.iam", call("iam", "GetRole", userIdentity=by_responder))
    matches(both, "a change of the responder's role", "aws.iam", call("iam", "PutRolePolicy", requestParameters={"roleName": "TriplineResponder"}))
    matches(both, "other code", "aws.lambda", call("lambda", "UpdateFunctionCode20150331v2", requestParameters={"functionName": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{STACK}-responder"}))
    matches(["CallRule"], "other code of another function", "aws.lambda", call("lambda", "UpdateFunctionCode20150331v2", requestParameters={"functionName": "other"}))
    matches(both, "a rule switched off", "aws.events", call("events", "DisableRule", requestParameters={"name": f"{STACK}-CallRule-1"}))
    matches(both, "targets taken away", "aws.events", call("events", "RemoveTargets", requestParameters={"rule": f"{STACK}-CallRule-1"}))
    matches(both, "a trail switched off", "aws.cloudtrail", call("cloudtrail", "StopLogging", requestParameters={"name": "trail"}))
    file = {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/1.json.gz"}}
    matches(["ObjectRule"], "a log file", "aws.s3", file, "Object Created")
    matches([], "another file", "aws.s3", {**file, "object": {"key": "1.json.gz"}}, "Object Created")
    forged = events.put_events(Entries=[{"Source": "aws.sts", "DetailType": "AWS API Call via CloudTrail", "Detail": "{}"}])
    check(forged["FailedEntryCount"] == 1, "nobody puts events in the name of AWS")


def session(function):
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    environment = json.load(answer["Payload"])["environment"]
    keys = (environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    return boto3.Session(*keys, "us-east-1"), environment


def try_roles(log):
    iam, queues, bucket = boto3.client("iam"), boto3.client("sqs"), boto3.client("s3")
    iam.create_role(RoleName="Plain", AssumeRolePolicyDocument=ANYBODY)
    iam.put_role_policy(RoleName="Plain", PolicyName="queues", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}))
    keys = boto3.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Plain", RoleSessionName="agent")["Credentials"]
    agent = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
    detector, environment = session(f"{STACK}-detector")
    responder, _ = session(f"{STACK}-responder")
    named = sorted(name for name in environment if name.startswith("TRIPLINE_"))
    check(len(named) == 8, f"the detector is told {named}")
    plans, table = environment["TRIPLINE_PLAN_QUEUE_URL"], environment["TRIPLINE_TABLE"]

    may(False, "an agent", "send a plan", lambda: agent.client("sqs").send_message(QueueUrl=plans, MessageBody="plan"))
    may(False, "an agent", "take a plan", lambda: agent.client("sqs").receive_message(QueueUrl=plans))
    for who, of in (("the detector", detector), ("the responder", responder)):
        does, reads = of.client("iam"), who == "the detector"
        may(True, who, "write state", lambda: of.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "session#1"}, "sk": {"S": "a"}}))
        may(False, who, "delete the table", lambda: of.client("dynamodb").delete_table(TableName=table))
        may(reads, who, "read a log file", lambda: of.client("s3").get_object(Bucket="trail", Key="AWSLogs/1.json.gz"))
        may(False, who, "read another file", lambda: of.client("s3").get_object(Bucket="trail", Key="1.json.gz"))
        may(False, who, "write a log file", lambda: of.client("s3").put_object(Bucket="trail", Key="AWSLogs/2.json.gz", Body=b""))
        may(reads, who, "look events up", lambda: of.client("cloudtrail").lookup_events())
        may(not reads, who, "read a role", lambda: does.get_role(RoleName="Plain"))
        may(False, who, "change a role that did not opt in", lambda: does.put_role_policy(RoleName="Plain", PolicyName="TriplineContainment", PolicyDocument=DENY_ALL))
        may(False, who, "change the responder's role", lambda: does.put_role_policy(RoleName="TriplineResponder", PolicyName="more", PolicyDocument=DENY_ALL))
        may(False, who, "change the detector's trust policy", lambda: does.update_assume_role_policy(RoleName="TriplineDetector", PolicyDocument=ANYBODY))
        may(False, who, "make a role", lambda: does.create_role(RoleName="more", AssumeRolePolicyDocument=ANYBODY))
        may(False, who, "make a user", lambda: does.create_user(UserName="more"))

    # The emulator takes aws:PrincipalArn for the session's, so the detector is refused with the rest.
    queues.set_queue_attributes(QueueUrl=plans, Attributes={"Policy": ""})
    may(False, "the responder", "send a plan", lambda: responder.client("sqs").send_message(QueueUrl=plans, MessageBody="plan"))
    may(True, "the detector", "send a plan (without the queue's policy)", lambda: detector.client("sqs").send_message(QueueUrl=plans, MessageBody="plan"))
    bucket.put_object(Bucket="trail", Key="AWSLogs/3.json.gz", Body=b"")
    bucket.put_object(Bucket="trail", Key="3.json.gz", Body=b"")
    wanted = {("detector", "AWSLogs/3.json.gz"), ("responder", "plan"), ("detector", "tick"), ("responder", "tick")}
    seen = set()
    for _ in range(150):
        for line in pathlib.Path(log).read_text().splitlines():
            role, event = json.loads(line)
            if re.fullmatch(r'\{"tick": "[0-9T:-]+Z"\}', json.dumps(event)):
                seen.add((role, "tick"))
            for record in event.get("Records", []):
                body = record["body"]
                seen.add((role, body if body == "plan" else json.loads(body)["detail"]["object"]["key"]))
        if wanted <= seen:
            break
        time.sleep(0.5)
    check(seen - {("detector", "AWSLogs/1.json.gz")} == wanted, f"what woke the functions: {sorted(seen)}")


def try_announcements(live, given, log):
    """The other two ways in which a new file is announced, each in a stack of its own."""
    bucket, topics = boto3.client("s3"), boto3.client("sns")
    for way in ("sns", "sqs"):
        name = f"trail-by-{way}"
        bucket.create_bucket(Bucket=name)
        topic = topics.create_topic(Name=name)["TopicArn"]
        from_s3 = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}
        topics.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [from_s3]}))
        own = {"TrailBucket": name, "ObjectEvents": way, "ObjectTopicArn": topic, "DetectorRoleName": f"Detector-{way}", "ResponderRoleName": f"Responder-{way}"}
        queue = apply(f"by-{way}", live, {**given, **own})["ObjectQueueArn"]
        announce = {"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}
        if way == "sns":
            announce = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
        bucket.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=announce)
        bucket.put_object(Bucket=name, Key="AWSLogs/4.json.gz", Body=b"")
        for _ in range(60):
            came = [line for line in pathlib.Path(log).read_text().splitlines() if "AWSLogs/4.json.gz" in line and name in line]
            if came:
                break
            time.sleep(0.5)
        check(came and came[0].startswith('["detector"'), f"a file announced by {way} wakes the detector")


def main():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")
    with tempfile.TemporaryDirectory() as work:
        log = f"{work}/events"
        pathlib.Path(log).touch()
        settings = {**os.environ, "AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_ACCOUNT_ID": ACCOUNT}
        with open(f"{work}/emulator.log", "wb") as out:
            emulator = subprocess.Popen([sys.argv[1]], env=settings, cwd=work, stdout=out, stderr=out)
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(endpoint + "/_ministack/health").close()
                    break
                except OSError:
                    time.sleep(0.1)
            bucket = boto3.client("s3")
            for name in ("packages", "trail"):
                bucket.create_bucket(Bucket=name)
            bucket.put_object(Bucket="packages", Key="package.zip", Body=packed(log))
            bucket.put_bucket_notification_configuration(Bucket="trail", NotificationConfiguration={"EventBridgeConfiguration": {}})
            for key in ("AWSLogs/1.json.gz", "1.json.gz"):
                bucket.put_object(Bucket="trail", Key=key, Body=b"")

            live = template(HERE / "template.yaml")
            live["Globals"]["Function"]["CodeUri"] = {"Bucket": "packages", "Key": "package.zip"}
            live = transform(live, {}, type("NoPolicies", (), {"load": lambda self: {}})())
            given = {"Architecture": "x86_64", "TrailBucket": "trail", "Mode": "enforce", "ContainPath": "agents/", "BindRoles": "no", "AlarmEmail": "a@example.com"}
            apply(STACK, live, given)
            apply("member", template(HERE / "hub/responder-role.yaml"), {"HubAccount": "444455556666", "OrgId": "o-exampleorgid", "MayWrite": "yes", "ContainPath": "agents/", "ResponderRoleName": "MemberResponder"})
            apply("forwarder", template(HERE / "hub/forwarder.yaml"), {"HubBusArn": "arn:aws:events:eu-central-1:444455556666:event-bus/default", "TrailBucket": "trail"})
            try_rules()
            try_roles(log)
            try_announcements(live, given, log)
        finally:
            emulator.terminate()
            emulator.wait()
    print(f"{len(failures)} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
