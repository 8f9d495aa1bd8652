// Answers what IAM would decide, by an evaluator of other authors in another language: one JSON request a
// line, one decision a line. It runs as a process of its own; nothing of it is linked or shipped.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { runSimulation } = createRequire(process.argv[2] + '/')('@cloud-copilot/iam-simulate');
const allow = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
};

for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line);
  // A role's whole policy is judged alone; what denies is judged beside one that allows everything.
  const identity = ask.alone ? [] : [{ name: 'all', policy: allow }];
  if (ask.identity) identity.push({ name: 'ours', policy: ask.identity });
  const answer = await runSimulation({
    request: {
      principal: ask.principal,
      action: ask.action,
      resource: { resource: ask.resource, accountId: '111122223333' },
      contextVariables: ask.context,
    },
    identityPolicies: identity,
    serviceControlPolicies: (ask.scp ?? []).map((policy, nth) => ({
      orgIdentifier: 'ou' + nth,
      policies: [{ name: 'full', policy: allow }, { name: 'ours', policy }],
    })),
    resourceControlPolicies: [],
    resourcePolicy: ask.trust,
    permissionBoundaryPolicies: ask.boundary ? [{ name: 'ours', policy: ask.boundary }] : undefined,
  }, {});
  const decision = answer.resultType === 'error' ? JSON.stringify(answer.errors) : answer.overallResult;
  process.stdout.write(JSON.stringify({ decision }) + '\n');
}
