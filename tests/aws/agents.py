"""Agents at work against an AWS emulator: the other side of the kill switch's tests.

Another language and another process on purpose: nothing of the program under test is in it. It reads
one JSON command a line and answers each with one JSON line. Every call that an agent makes is also
written down as the record that CloudTrail would have delivered of it.

Commands (`do`):
  role     {account, name, trust, inline?, tags?}     with the account's root keys
  user     {account, name, id}                        a user with a key; the key becomes session `id`
  assume   {by, id, role, name, tags?, transitive?, source_identity?}
                                                      by: a session, or an account for its root keys
  call     {id, service}                              one call; its outcome
  work     {id}                                       calls all services, round and round, in a thread
  strip    {id, role, trust}                          every 0.5 s takes Tripline's policies off a role
  report   {id}                                       what `work` saw
  stop                                                all threads
  inspect  {account, role | user}                     policies and keys, exactly as they stand
  log      {file}                                     writes all records so far
  credentials {id}                                    of a session
  put      {account, role, policy, document}          an inline policy, with root keys
  boundary {account, role, document}                  a permissions boundary, with root keys
  stop_logging {id}                                   a session stops the trail
  deploy   {program, detector, responder, desk?, mode, stack?, environment?}
                                                      the functions, their queues, table and bucket
  heal                                                what a doctor finds wrong with `deploy`
  records                                             all of them, as they are
  deliver  {key}                                      all records so far, as an object of the trail
  invoke   {function, event}                          a function, as a trigger would
  waiting  {queue}                                    the messages of a queue
  upload   {from, bucket}                             the files of a folder, as objects
"""

import datetime
import gzip
import io
import json
import os
import sys
import threading
import time
import uuid
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)

# One harmless call of each service whose calls the emulator authorises.
SERVICES = {
    "s3": ("list_buckets", "s3.amazonaws.com", "ListBuckets"),
    "dynamodb": ("list_tables", "dynamodb.amazonaws.com", "ListTables"),
    "sqs": ("list_queues", "sqs.amazonaws.com", "ListQueues"),
    "sns": ("list_topics", "sns.amazonaws.com", "ListTopics"),
    "secretsmanager": ("list_secrets", "secretsmanager.amazonaws.com", "ListSecrets"),
    "ssm": ("describe_parameters", "ssm.amazonaws.com", "DescribeParameters"),
    "kms": ("list_keys", "kms.amazonaws.com", "ListKeys"),
    "lambda": ("list_functions", "lambda.amazonaws.com", "ListFunctions20150331"),
    "events": ("list_rules", "events.amazonaws.com", "ListRules"),
    "iam": ("list_users", "iam.amazonaws.com", "ListUsers"),
    "ec2": ("describe_instances", "ec2.amazonaws.com", "DescribeInstances"),
}


class Session:
    def __init__(self, key, secret, token, account, principal, arn, role=None, user=None):
        self.key, self.secret, self.token = key, secret, token
        self.account, self.principal, self.arn = account, principal, arn
        self.role, self.user = role, user
        self.created = now()
        self.source_identity = None
        self.clients = {}
        self.lock = threading.Lock()
        self.calls = []

    def client(self, service):
        with self.lock:
            if service not in self.clients:
                self.clients[service] = client(service, self.key, self.secret, self.token)
            return self.clients[service]

    def identity(self):
        if self.user:
            return {"type": "IAMUser", "principalId": self.principal, "arn": self.arn,
                    "accountId": self.account, "accessKeyId": self.key, "userName": self.user}
        context = {
            "sessionIssuer": {"type": "Role", "principalId": self.principal.split(":")[0],
                              "arn": self.role, "accountId": self.account,
                              "userName": self.role.rsplit("/", 1)[1]},
            "attributes": {"creationDate": self.created, "mfaAuthenticated": "false"},
        }
        if self.source_identity:
            context["sourceIdentity"] = self.source_identity
        return {"type": "AssumedRole", "principalId": self.principal, "arn": self.arn,
                "accountId": self.account, "accessKeyId": self.key, "sessionContext": context}


def client(service, key, secret="test", token=None):
    return boto3.client(service, endpoint_url=ENDPOINT, region_name="us-east-1", config=CONFIG,
                        aws_access_key_id=key, aws_secret_access_key=secret,
                        aws_session_token=token)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


sessions = {}
records = []
records_lock = threading.Lock()
stopping = threading.Event()
threads = []


def record(identity, source, name, request, response, error, read_only):
    entry = {
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": now(),
        "eventSource": source, "eventName": name, "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.9", "userAgent": "Boto3/1.43 md/Botocore#1.43",
        "requestParameters": request, "responseElements": response,
        "requestID": str(uuid.uuid4()), "eventID": str(uuid.uuid4()), "readOnly": read_only,
        "eventType": "AwsApiCall", "managementEvent": True, "eventCategory": "Management",
        "recipientAccountId": identity.get("accountId", ""),
    }
    if error:
        entry["errorCode"], entry["errorMessage"] = error
    with records_lock:
        records.append(entry)


def outcome(error):
    if error is None:
        return {"ok": True}
    return {"ok": False, "code": error[0], "message": error[1]}


def attempt(act):
    try:
        return act(), None
    except ClientError as error:
        return None, (error.response["Error"]["Code"], error.response["Error"]["Message"])


def call(session, service):
    method, source, name = SERVICES[service]
    started = time.time()
    _, error = attempt(getattr(session.client(service), method))
    record(session.identity(), source, name, None, None, error, True)
    return {"service": service, "at_ms": int(started * 1000), "error": error}


def assume(command):
    by = sessions.get(command["by"])
    sts = by.client("sts") if by else client("sts", command["by"])
    arguments = {"RoleArn": command["role"], "RoleSessionName": command["name"]}
    request = {"roleArn": command["role"], "roleSessionName": command["name"],
               "durationSeconds": 3600}
    if command.get("tags"):
        arguments["Tags"] = [{"Key": k, "Value": v} for k, v in command["tags"].items()]
        request["tags"] = [{"key": k, "value": v} for k, v in command["tags"].items()]
    if command.get("transitive"):
        arguments["TransitiveTagKeys"] = command["transitive"]
        request["transitiveTagKeys"] = command["transitive"]
    if command.get("source_identity"):
        arguments["SourceIdentity"] = request["sourceIdentity"] = command["source_identity"]
    answer, error = attempt(lambda: sts.assume_role(**arguments))
    response = None
    account = command["role"].split(":")[4]
    if answer:
        credentials, user = answer["Credentials"], answer["AssumedRoleUser"]
        response = {"credentials": {"accessKeyId": credentials["AccessKeyId"]},
                    "assumedRoleUser": {"assumedRoleId": user["AssumedRoleId"], "arn": user["Arn"]}}
        session = Session(credentials["AccessKeyId"], credentials["SecretAccessKey"],
                          credentials["SessionToken"], account, user["AssumedRoleId"],
                          user["Arn"], role=command["role"])
        session.source_identity = command.get("source_identity")
        sessions[command["id"]] = session
    if by:
        record(by.identity(), "sts.amazonaws.com", "AssumeRole", request, response, error, True)
    found = sessions.get(command["id"])
    return {**outcome(error), "key": found.key if answer else None,
            "principal": found.principal if answer else None}


def work(session):
    while not stopping.is_set():
        for service in SERVICES:
            if stopping.is_set():
                return
            session.calls.append(call(session, service))


def strip(session, role, trust, log):
    iam = session.client("iam")
    while not stopping.wait(0.5):
        listed, error = attempt(lambda: iam.list_role_policies(RoleName=role))
        if error:
            log.append({"request": "ListRolePolicies", **outcome(error)})
        for name in (listed or {}).get("PolicyNames", []):
            if name.startswith("Tripline"):
                _, error = attempt(lambda: iam.delete_role_policy(RoleName=role, PolicyName=name))
                record(session.identity(), "iam.amazonaws.com", "DeleteRolePolicy",
                       {"roleName": role, "policyName": name}, None, error, False)
                log.append({"request": "DeleteRolePolicy", **outcome(error)})
        _, error = attempt(
            lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust))
        log.append({"request": "UpdateAssumeRolePolicy", **outcome(error)})


def report(session):
    by_service = {}
    for entry in list(session.calls):
        seen = by_service.setdefault(entry["service"], {
            "ok": 0, "denied": 0, "first_denied_ms": None, "last_ok_ms": None, "others": []})
        if entry["error"] is None:
            seen["ok"] += 1
            seen["last_ok_ms"] = entry["at_ms"]
        elif "AccessDenied" in entry["error"][0] or "Unauthorized" in entry["error"][0] \
                or "not authorized" in entry["error"][1]:
            seen["denied"] += 1
            seen["first_denied_ms"] = seen["first_denied_ms"] or entry["at_ms"]
        else:
            seen["others"].append(list(entry["error"]))
    return {"services": by_service}


def inspect(command):
    iam = client("iam", command["account"])
    # boto3 decodes documents; their text is wanted as it stands.
    texts = {}

    def keep(http_response, **_):
        texts["body"] = http_response.content.decode()

    def document(method, field, **arguments):
        import re
        from urllib.parse import unquote
        from xml.sax.saxutils import unescape
        iam.meta.events.register("after-call.iam", keep)
        getattr(iam, method)(**arguments)
        raw = re.search("<%s>(.*?)</%s>" % (field, field), texts["body"], re.S).group(1)
        return unquote(unescape(raw))

    if "role" in command:
        role = command["role"]
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return {
            "trust": document("get_role", "AssumeRolePolicyDocument", RoleName=role),
            "inline": {name: document("get_role_policy", "PolicyDocument", RoleName=role,
                                      PolicyName=name) for name in names},
            "attached": sorted(policy["PolicyName"] for policy in attached),
            "keys": {},
        }
    user = command["user"]
    names = iam.list_user_policies(UserName=user)["PolicyNames"]
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    keys = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    return {
        "trust": None,
        "inline": {name: document("get_user_policy", "PolicyDocument", UserName=user,
                                  PolicyName=name) for name in names},
        "attached": sorted(policy["PolicyName"] for policy in attached),
        "keys": {key["AccessKeyId"]: key["Status"] for key in keys},
    }


strip_logs = {}

# Where the functions' table, queues and bucket are.
HOME = "123456789012"
BUCKET, TRAIL = "trail-of-the-test", "trail"


def deploy(command):
    s3, sqs, sns = (client(service, HOME) for service in ("s3", "sqs", "sns"))
    s3.create_bucket(Bucket=BUCKET)
    client("cloudtrail", HOME).create_trail(Name=TRAIL, S3BucketName=BUCKET)
    client("cloudtrail", HOME).start_logging(Name=TRAIL)
    client("dynamodb", HOME).create_table(
        TableName="tripline", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"},
                   {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}
                              for name in ("pk", "sk")])
    urls, arns = {}, {}
    for name in ("new", "new-by-topic", "plans", "presses", "dead"):
        urls[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
        arns[name] = sqs.get_queue_attributes(
            QueueUrl=urls[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]},
            "Action": "sqs:SendMessage", "Resource": arns[name]}]}
        sqs.set_queue_attributes(QueueUrl=urls[name], Attributes={"Policy": json.dumps(policy)})
    topic = sns.create_topic(Name="new-objects")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["new-by-topic"])
    functions = client("lambda", HOME)
    environment = {"TRIPLINE_TABLE": "tripline", "TRIPLINE_BUCKETS": BUCKET,
                   "TRIPLINE_PLAN_QUEUE_URL": urls["plans"], "TRIPLINE_MODE": command["mode"],
                   "TRIPLINE_DEAD_LETTER_QUEUE_URL": urls["dead"], "AWS_ENDPOINT_URL": ENDPOINT,
                   "TRIPLINE_PRESS_QUEUE_URL": urls["presses"],
                   **command.get("environment", {})}
    code = package(command["program"])
    stack = command["stack"] + "-" if "stack" in command else ""
    for part in [part for part in ("detector", "responder", "desk") if part in command]:
        functions.create_function(
            FunctionName=stack + part, Runtime="provided.al2023", Handler="bootstrap",
            Role=command[part], Code={"ZipFile": code}, Timeout=60,
            Environment={"Variables": {**environment, "TRIPLINE_ROLE": part}})
        active = functions.get_waiter("function_active_v2")
        active.wait(FunctionName=stack + part, WaiterConfig={"Delay": 1})
    for queue, part in (("new", "detector"), ("new-by-topic", "detector"), ("plans", "responder"),
                        ("presses", "responder")):
        functions.create_event_source_mapping(
            EventSourceArn=arns[queue], FunctionName=stack + part, BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"])
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={
            "QueueConfigurations": [{
                "QueueArn": arns["new"], "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "AWSLogs/"}]}}}],
            "TopicConfigurations": [{
                "TopicArn": topic, "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "topic/"}]}}}]})
    return {"ok": True}


def heal():
    client("cloudtrail", HOME).update_trail(
        Name=TRAIL, IsMultiRegionTrail=True, IncludeGlobalServiceEvents=True,
        EnableLogFileValidation=True)
    client("dynamodb", HOME).update_time_to_live(
        TableName="tripline",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    client("dynamodb", HOME).update_table(TableName="tripline", DeletionProtectionEnabled=True)
    sqs = client("sqs", HOME)
    dead = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName="dead")["QueueUrl"],
        AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name in ("new", "new-by-topic", "plans"):
        redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "3"})
        sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"],
                                 Attributes={"RedrivePolicy": redrive})
    return {"ok": True}


def package(program):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        with open(program, "rb") as program:
            file.writestr(entry, program.read(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def invoke(command):
    answer = client("lambda", HOME).invoke(
        FunctionName=command["function"], Payload=json.dumps(command["event"]))
    return {"ok": "FunctionError" not in answer,
            "answer": json.loads(answer["Payload"].read() or "null")}


def waiting(command):
    sqs = client("sqs", HOME)
    url = sqs.get_queue_url(QueueName=command["queue"])["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0,
                                MessageAttributeNames=["All"]).get("Messages", [])
    return {"ok": True, "messages": [
        {"body": one["Body"],
         "reason": one.get("MessageAttributes", {}).get("reason", {}).get("StringValue")}
        for one in found]}


def upload(command):
    s3 = client("s3", HOME)
    attempt(lambda: s3.create_bucket(Bucket=command["bucket"]))
    for folder, _, files in os.walk(command["from"]):
        for name in files:
            path = os.path.join(folder, name)
            beside = path + ".signature"
            if name.endswith(".signature"):
                continue
            metadata = {}
            if os.path.exists(beside):
                with open(beside) as file:
                    metadata = {"signature": file.read().strip()}
            with open(path, "rb") as file:
                s3.put_object(Bucket=command["bucket"], Body=file.read(), Metadata=metadata,
                              Key=os.path.relpath(path, command["from"]))
    return {"ok": True}


def settle():
    """Waits until the functions have worked off all that was delivered."""
    sqs = client("sqs", HOME)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    until = time.monotonic() + 60
    # The detector fills the last one before it leaves the others.
    for queue in ("new", "new-by-topic", "plans"):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        while any(int(count) for count in sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=names)["Attributes"].values()):
            if time.monotonic() > until:
                return {"ok": False, "queue": queue}
            time.sleep(0.02)
    return {"ok": True}


def stop_logging(session):
    _, error = attempt(lambda: session.client("cloudtrail").stop_logging(Name=TRAIL))
    record(session.identity(), "cloudtrail.amazonaws.com", "StopLogging", {"name": TRAIL}, None,
           error, False)
    return outcome(error)


def packed(command):
    """All records, or those that nothing was delivered of yet."""
    with records_lock:
        first = packed.until if command.get("news") else 0
        packed.until = len(records)
        return gzip.compress(json.dumps({"Records": records[first:]}).encode())


packed.until = 0


def answer(command):
    do = command["do"]
    if do == "role":
        iam = client("iam", command["account"])
        arguments = {"RoleName": command["name"], "AssumeRolePolicyDocument": command["trust"]}
        if command.get("tags"):
            arguments["Tags"] = [{"Key": key, "Value": value} for key, value in command["tags"].items()]
        iam.create_role(**arguments)
        for name, document in command.get("inline", {}).items():
            iam.put_role_policy(RoleName=command["name"], PolicyName=name, PolicyDocument=document)
        return {"ok": True}
    if do == "heal":
        return heal()
    if do == "user":
        iam = client("iam", command["account"])
        user = iam.create_user(UserName=command["name"])["User"]
        for name, document in command.get("inline", {}).items():
            iam.put_user_policy(UserName=command["name"], PolicyName=name, PolicyDocument=document)
        key = iam.create_access_key(UserName=command["name"])["AccessKey"]
        sessions[command["id"]] = Session(key["AccessKeyId"], key["SecretAccessKey"], None,
                                          command["account"], user["UserId"], user["Arn"],
                                          user=command["name"])
        return {"ok": True, "key": key["AccessKeyId"], "principal": user["UserId"]}
    if do == "assume":
        return assume(command)
    if do == "call":
        return outcome(call(sessions[command["id"]], command["service"])["error"])
    if do == "work":
        thread = threading.Thread(target=work, args=(sessions[command["id"]],), daemon=True)
        thread.start()
        threads.append(thread)
        return {"ok": True}
    if do == "strip":
        log = strip_logs.setdefault(command["id"], [])
        arguments = (sessions[command["id"]], command["role"], command["trust"], log)
        thread = threading.Thread(target=strip, args=arguments, daemon=True)
        thread.start()
        threads.append(thread)
        return {"ok": True}
    if do == "report":
        return {"ok": True, **report(sessions[command["id"]]),
                "stripped": strip_logs.get(command["id"], [])}
    if do == "stop":
        stopping.set()
        for thread in threads:
            thread.join()
        threads.clear()
        stopping.clear()
        return {"ok": True}
    if do == "inspect":
        return {"ok": True, **inspect(command)}
    if do == "log":
        with records_lock:
            text = json.dumps({"Records": records})
        # A file appears whole or not at all, as an object does.
        with gzip.open(command["file"] + ".part", "wt") as out:
            out.write(text)
        os.replace(command["file"] + ".part", command["file"])
        return {"ok": True}
    if do == "credentials":
        session = sessions[command["id"]]
        return {"ok": True, "key": session.key, "secret": session.secret, "token": session.token}
    if do == "put":
        client("iam", command["account"]).put_role_policy(
            RoleName=command["role"], PolicyName=command["policy"],
            PolicyDocument=command["document"])
        return {"ok": True}
    if do == "boundary":
        iam = client("iam", command["account"])
        policy = iam.create_policy(PolicyName=command["role"] + "-boundary",
                                   PolicyDocument=command["document"])["Policy"]
        iam.put_role_permissions_boundary(RoleName=command["role"],
                                          PermissionsBoundary=policy["Arn"])
        return {"ok": True}
    if do == "stop_logging":
        return stop_logging(sessions[command["id"]])
    if do == "deploy":
        return deploy(command)
    if do == "settle":
        return settle()
    if do == "deliver":
        client("s3", HOME).put_object(Bucket=BUCKET, Key=command["key"], Body=packed(command))
        return {"ok": True}
    if do == "upload":
        return upload(command)
    if do == "records":
        with records_lock:
            return {"ok": True, "records": list(records)}
    if do == "invoke":
        return invoke(command)
    if do == "waiting":
        return waiting(command)
    raise ValueError("no such command: " + do)


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # The test that sent the command fails with it.
        reply = {"ok": False, "broken": repr(error)}
    print(json.dumps(reply), flush=True)
