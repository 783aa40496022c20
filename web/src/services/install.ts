// SPDX-License-Identifier: Apache-2.0
// The commands that make a Linux computer a device. The agent reads /etc/sekisho-agent/agent.conf at its first start.
import type { EnrolmentTokenCreated } from '@/api/types';

const FOLDER = '/etc/sekisho-agent';
const CONFIG_FILE = `${FOLDER}/agent.conf`;
const CA_FILE = `${FOLDER}/ca.pem`;

export function agentConfig(created: EnrolmentTokenCreated): string {
  return [
    `server_host = ${created.agent_host}`,
    `server_port = ${created.agent_port}`,
    `ca_file = ${CA_FILE}`,
    `token = ${created.secret}`,
    '',
  ].join('\n');
}

/** Everything after the package is on the computer. Quoted here-documents: nothing in them is expanded by the shell. */
export function installCommands(created: EnrolmentTokenCreated): string {
  return [
    'sudo apt install ./sekisho-agent_*.deb',
    `sudo install -d -m 0755 ${FOLDER}`,
    `sudo tee ${CA_FILE} >/dev/null <<'EOF'`,
    created.ca_pem.trim(),
    'EOF',
    `sudo install -m 0600 /dev/null ${CONFIG_FILE}`,
    `sudo tee ${CONFIG_FILE} >/dev/null <<'EOF'`,
    agentConfig(created).trim(),
    'EOF',
    'sudo systemctl enable --now sekisho-agent',
    'sudo sekisho-agent status',
  ].join('\n');
}
