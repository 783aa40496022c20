// SPDX-License-Identifier: Apache-2.0
import codes from './codes.json';
import common from './common.json';
import detections from './detections.json';
import devices from './devices.json';
import enrolment from './enrolment.json';
import overview from './overview.json';
import session from './session.json';
import tasks from './tasks.json';

export default { codes, common, detections, devices, enrolment, overview, session, tasks };
