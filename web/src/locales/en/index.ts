// SPDX-License-Identifier: Apache-2.0
import access from './access.json';
import audit from './audit.json';
import codes from './codes.json';
import common from './common.json';
import detections from './detections.json';
import devices from './devices.json';
import enrolment from './enrolment.json';
import overview from './overview.json';
import session from './session.json';
import tasks from './tasks.json';
import users from './users.json';

export default { access, audit, codes, common, detections, devices, enrolment, overview, session, tasks, users };
