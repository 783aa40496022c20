// SPDX-License-Identifier: Apache-2.0
// Generated from src/handler/openapi.yaml by `npm run generate`. Do not edit.

export interface paths {
    "/api/v1/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in with a name and a password
         * @description The name is `tenant/user`, or `user` where the host name gives the tenant. Sets the refresh cookie.
         */
        post: operations["sign_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Exchange the refresh cookie for a new access token
         * @description The cookie is rotated. The previous one within 10 seconds gets the same successor; older reuse ends the session.
         */
        post: operations["session_refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sign-out": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End this session */
        post: operations["sign_out"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change one's own password
         * @description Ends all other sessions of the user. Allowed while a password change is required; nothing else is.
         */
        post: operations["password_change"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One's own open sessions */
        get: operations["session_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one of one's own sessions */
        delete: operations["session_revoke"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is signed in, for which tenant, and what the plan includes */
        get: operations["me_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change one's own language */
        patch: operations["me_update"];
        trace?: never;
    };
    "/api/v1/me/two-factor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begin a second factor; gives the secret for an authenticator app
         * @description RFC 6238: SHA-1, 6 digits, 30 seconds. Replaces a secret that was not confirmed.
         */
        post: operations["two_factor_begin"];
        /** Give up the second factor */
        delete: operations["two_factor_end"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/two-factor/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Confirm the second factor with a code; gives the recovery codes, which are shown once */
        post: operations["two_factor_confirm"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Counts of devices, detections and tasks, and seats in use */
        get: operations["overview_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Devices, page by page */
        get: operations["device_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices/{device_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One device with all but its long lists */
        get: operations["device_show"];
        put?: never;
        post?: never;
        /** Remove a device, its history and its certificate */
        delete: operations["device_remove"];
        options?: never;
        head?: never;
        /** Rename, describe or move a device */
        patch: operations["device_update"];
        trace?: never;
    };
    "/api/v1/devices/{device_id}/certificate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke the device's certificate; it is cut off at once and must enrol again */
        delete: operations["device_certificate_revoke"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices/{device_id}/software": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Installed software, by name */
        get: operations["device_software_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tree of static groups with the number of devices in each */
        get: operations["group_list"];
        put?: never;
        /** Create a static group */
        post: operations["group_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/detections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Detections, newest first unless sorted otherwise */
        get: operations["detection_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/detections/{detection_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One detection with all that is known of it */
        get: operations["detection_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/detections/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Mark detections resolved or unresolved */
        post: operations["detection_resolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Files held in the devices' quarantines */
        get: operations["quarantine_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks, newest first, with the states of their executions */
        get: operations["task_list"];
        put?: never;
        /** Give devices a task; connected ones start at once */
        post: operations["task_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One task */
        get: operations["task_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel all executions of a task that have not ended */
        post: operations["task_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Executions of a task, or on a device, newest first */
        get: operations["execution_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions/{execution_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel one execution */
        post: operations["execution_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/targets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Devices that one may give tasks to, as much as choosing them needs */
        get: operations["target_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/enrolment-tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Enrolment tokens (never the secret itself) */
        get: operations["enrolment_token_list"];
        put?: never;
        /** Make an enrolment token; its secret is shown once */
        post: operations["enrolment_token_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/enrolment-tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke an enrolment token; devices that joined with it stay */
        delete: operations["enrolment_token_revoke"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Users, by name */
        get: operations["user_list"];
        put?: never;
        /**
         * Create a user; a first password is made and shown once
         * @description The rights of the new user must be within those of the caller.
         */
        post: operations["user_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One user */
        get: operations["user_show"];
        /**
         * Change a user; sessions end when the user is disabled
         * @description What the user could do before and afterwards must be within the rights of the caller, who cannot change the own rights.
         */
        put: operations["user_update"];
        post?: never;
        /** Delete a user; the audit keeps the name */
        delete: operations["user_remove"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{user_id}/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a new first password, shown once; ends all sessions and unlocks the account */
        post: operations["user_password_reset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{user_id}/two-factor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Take away a user's second factor, when it was lost */
        delete: operations["user_two_factor_reset"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{user_id}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A user's open sessions */
        get: operations["user_session_list"];
        put?: never;
        post?: never;
        /** End all sessions of a user */
        delete: operations["user_session_end"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/permission-sets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All permission sets, the built-in ones first */
        get: operations["permission_set_list"];
        put?: never;
        /** Create a permission set; its rights must be within those of the caller */
        post: operations["permission_set_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/permission-sets/{set_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One permission set */
        get: operations["permission_set_show"];
        /** Change a permission set; nobody who has it may gain more than the caller has */
        put: operations["permission_set_update"];
        post?: never;
        /** Delete a permission set that no user has */
        delete: operations["permission_set_remove"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was done, newest first */
        get: operations["audit_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/head": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest record of the chain, signed by the platform; keep it to prove later that nothing was changed */
        get: operations["audit_head"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Change hints as server-sent events
         * @description Events are `data: {"topic":"detections","revision":12}`; at most one a second per topic; the reader asks the API again. Topics: devices, detections, tasks, quarantine, enrolment, users. A comment line every 20 seconds keeps the stream open. It ends when the access token expires or the session is revoked.
         */
        get: operations["live_open"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @default asc
         * @enum {string}
         */
        Direction: "asc" | "desc";
        /** @enum {string} */
        Language: "ja" | "en";
        /**
         * @description attention: a warning stands; problem: an error stands
         * @enum {string}
         */
        DeviceStatus: "ok" | "attention" | "problem";
        /** @enum {string} */
        OsFamily: "linux" | "windows" | "macos" | "android" | "ios";
        /** @enum {string} */
        Severity: "info" | "warning" | "critical";
        /** @enum {string} */
        DetectionType: "malware" | "unwanted" | "suspicious" | "test";
        /** @enum {string} */
        DetectionAction: "blocked" | "quarantined" | "deleted" | "reported" | "failed";
        /** @enum {string} */
        Scanner: "on_access" | "on_demand";
        /** @enum {string} */
        TaskType: "scan" | "update_modules" | "show_message" | "isolate" | "end_isolation";
        /** @enum {string} */
        ExecutionState: "pending" | "running" | "cancelling" | "done" | "failed" | "cancelled" | "refused";
        SignIn: {
            /** @description tenant/user */
            name: string;
            password: string;
            language?: components["schemas"]["Language"];
            /** @description of the second factor, or a recovery code; asked for by second_factor_required */
            code?: string;
        };
        SessionGrant: {
            access_token: string;
            /** @description seconds */
            expires_in: number;
            must_change_password: boolean;
        };
        PasswordChange: {
            current: string;
            new: string;
        };
        PasswordProof: {
            /** @description the current one */
            password: string;
        };
        TwoFactorSecret: {
            /** @description base32 */
            secret: string;
            /** @description otpauth://, for a QR code */
            uri: string;
        };
        TwoFactorCode: {
            code: string;
        };
        RecoveryCodes: {
            /** @description each signs in once in place of a code */
            codes: string[];
        };
        Session: {
            /** Format: uuid */
            id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            last_used_at: string;
            address: string;
            user_agent: string;
            current: boolean;
        };
        SessionPage: {
            items: components["schemas"]["Session"][];
        };
        Me: {
            /** Format: uuid */
            user_id: string;
            name: string;
            display_name: string;
            language: components["schemas"]["Language"];
            tenant: string;
            tenant_name: string;
            plan: string;
            seats: number;
            seats_used: number;
            time_zone: string;
            /** @description least check-in interval of the plan in seconds */
            min_interval: number;
            /** @description rights that one has on at least one group, such as devices.read */
            permissions: string[];
            /** @description what the plan includes, such as multi_user */
            entitlements: string[];
            /** @description a second factor is asked for at sign-in */
            two_factor: boolean;
            /** @description nothing else is allowed until a second factor is set up */
            two_factor_required: boolean;
        };
        MeUpdate: {
            language: components["schemas"]["Language"];
        };
        /** @enum {string} */
        Functionality: "devices" | "detections" | "tasks" | "enrolment" | "users" | "permission_sets" | "audit";
        /**
         * @description read < use < write; each includes those before it
         * @enum {string}
         */
        Access: "none" | "read" | "use" | "write";
        Right: {
            functionality: components["schemas"]["Functionality"];
            allow: components["schemas"]["Access"];
            /** @description the least level that is denied, with all above it; wins over every allow */
            deny: components["schemas"]["Access"];
        };
        Named: {
            /** Format: uuid */
            id: string;
            /** @description for built-in things a message code */
            name: string;
            built_in?: boolean;
        };
        User: {
            /** Format: uuid */
            id: string;
            name: string;
            display_name: string;
            /** @description empty when unknown */
            email: string;
            language: components["schemas"]["Language"];
            /** @description where what the user makes belongs; All when absent */
            home_group?: components["schemas"]["Named"];
            sets: components["schemas"]["Named"][];
            enabled: boolean;
            must_change_password: boolean;
            /**
             * Format: date-time
             * @description after failed sign-ins
             */
            locked_until?: string;
            two_factor: boolean;
            two_factor_required: boolean;
            /** Format: date-time */
            last_sign_in_at?: string;
            /** Format: date-time */
            created_at: string;
            revision: number;
            /** @description it is the caller */
            own: boolean;
            /** @description the caller may change this user */
            editable: boolean;
        };
        UserPage: {
            items: components["schemas"]["User"][];
            total: number;
            next_cursor?: string;
        };
        UserCreate: {
            /** @description letters, digits and . _ @ + - */
            name: string;
            display_name: string;
            email?: string;
            language: components["schemas"]["Language"];
            /**
             * Format: uuid
             * @description All when absent
             */
            home_group_id?: string;
            set_ids: string[];
            /** @default false */
            two_factor_required: boolean;
        };
        UserUpdate: {
            display_name: string;
            email?: string;
            language: components["schemas"]["Language"];
            /**
             * Format: uuid
             * @description All when absent
             */
            home_group_id?: string;
            set_ids: string[];
            enabled: boolean;
            /** @default false */
            two_factor_required: boolean;
            /** @description of the user that was read; another one is a conflict */
            revision: number;
        };
        UserPassword: {
            user: components["schemas"]["User"];
            /** @description shown only here; must be changed at the first sign-in */
            password: string;
        };
        PermissionSet: {
            /** Format: uuid */
            id: string;
            /** @description of built-in sets a message code, such as permission_set.reviewer */
            name: string;
            description: string;
            /** @description cannot be changed */
            built_in: boolean;
            /** @description where the rights hold, with all groups below; none for built-in sets, which hold on All, or on the user's home group */
            groups: components["schemas"]["Named"][];
            /** @description the rights hold on the home group of the user */
            on_home_group?: boolean;
            rights: components["schemas"]["Right"][];
            /** @description who have it */
            users: number;
            revision?: number;
            /** Format: date-time */
            changed_at?: string;
            /** @description the caller may change it */
            editable: boolean;
        };
        PermissionSetPage: {
            items: components["schemas"]["PermissionSet"][];
        };
        PermissionSetWrite: {
            name: string;
            description?: string;
            group_ids: string[];
            rights: components["schemas"]["Right"][];
            /** @description of the set that was read; needed for a change */
            revision?: number;
        };
        /** @enum {string} */
        AuditResult: "done" | "denied" | "failed";
        AuditChange: {
            field: string;
            /** @description absent when there was none; secrets are never here */
            before?: string;
            after?: string;
        };
        AuditRecord: {
            /** Format: uuid */
            id: string;
            /** @description place in the chain */
            sequence?: number;
            /** @description SHA-256 over the record and the hash before it, in hex */
            hash?: string;
            /** Format: date-time */
            at: string;
            /** Format: uuid */
            user_id?: string;
            /** @description name at that time, or as typed */
            user: string;
            /** Format: uuid */
            session_id?: string;
            address: string;
            action: string;
            /** @description kind of the object; empty when there is none */
            domain: string;
            /** Format: uuid */
            object_id?: string;
            object_name: string;
            result: components["schemas"]["AuditResult"];
            changes: components["schemas"]["AuditChange"][];
        };
        AuditPage: {
            items: components["schemas"]["AuditRecord"][];
            next_cursor?: string;
        };
        AuditHead: {
            tenant: string;
            /** @description 0 before the first record */
            sequence: number;
            hash: string;
            /** Format: date-time */
            at: string;
            /** @description the text that is signed */
            statement: string;
            /** @description Ed25519 over the statement's bytes, in hex */
            signature: string;
            /** @description the platform's key for statements, in hex */
            public_key: string;
        };
        Target: {
            /** Format: uuid */
            id: string;
            name: string;
            group_name: string;
            os_family: components["schemas"]["OsFamily"];
        };
        TargetPage: {
            items: components["schemas"]["Target"][];
            next_cursor?: string;
        };
        Overview: {
            devices: number;
            devices_ok: number;
            devices_attention: number;
            devices_problem: number;
            /** @description not heard for two of their intervals */
            devices_silent: number;
            detections_unresolved: number;
            detections_today: number;
            tasks_running: number;
            seats: number;
            seats_used: number;
            detections_by_day: components["schemas"]["DayCount"][];
        };
        DayCount: {
            day: string;
            count: number;
        };
        Device: {
            /** Format: uuid */
            id: string;
            name: string;
            description?: string;
            /** Format: uuid */
            group_id: string;
            group_name: string;
            status: components["schemas"]["DeviceStatus"];
            os_family: components["schemas"]["OsFamily"];
            os_name: string;
            os_version?: string;
            /** @description first address or empty */
            ip: string;
            /** Format: date-time */
            last_seen: string;
            /** @description seconds between scheduled check-ins */
            interval: number;
            /** @description its wake-up stream is open */
            connected: boolean;
            problems: number;
            /** @description unresolved detections */
            unresolved: number;
            isolated: boolean;
            /**
             * @description detect_only: prevention is off
             * @enum {string}
             */
            protection: "on" | "detect_only" | "off" | "unknown";
            agent_version: string;
            /** Format: date-time */
            enrolled_at: string;
        };
        DevicePage: {
            items: components["schemas"]["Device"][];
            /** @description devices that match the filters */
            total: number;
            next_cursor?: string;
        };
        DeviceDetail: {
            device: components["schemas"]["Device"];
            fqdn?: string;
            kernel?: string;
            architecture?: string;
            time_zone?: string;
            locale?: string;
            /** Format: date-time */
            boot_at?: string;
            vendor?: string;
            model?: string;
            serial?: string;
            cpu?: string;
            cpu_cores?: number;
            memory_bytes?: number;
            software_count?: number;
            addresses: string[];
            /** @description logged-on users */
            users: string[];
            disks: components["schemas"]["Disk"][];
            filesystems: components["schemas"]["Filesystem"][];
            adapters: components["schemas"]["Adapter"][];
            problem_list: components["schemas"]["Problem_"][];
            engine: components["schemas"]["Engine"];
            /** Format: date-time */
            certificate_expires_at: string;
            certificate_revoked?: boolean;
            /** @description records the agent had to drop because its journal was full */
            lost_records?: number;
            /** @description two machines may be using this identity (clone or restored snapshot) */
            identity_question?: boolean;
        };
        Disk: {
            name: string;
            model?: string;
            size_bytes: number;
        };
        Filesystem: {
            mount: string;
            type: string;
            size_bytes: number;
            free_bytes: number;
        };
        Adapter: {
            name: string;
            mac?: string;
            addresses: string[];
            state?: string;
            speed_mbps?: number;
        };
        Problem_: {
            /** @description message code problem.<code>; arguments in args */
            code: string;
            severity: components["schemas"]["Severity"];
            /** Format: date-time */
            since: string;
            args?: string[];
        };
        Engine: {
            name: string;
            version?: string;
            signature_version?: string;
            /** Format: date-time */
            signature_at?: string;
            /** @enum {string} */
            protection: "on" | "detect_only" | "off" | "unknown";
            on_access: boolean;
            watched_folders?: string[];
        };
        DeviceUpdate: {
            name?: string;
            description?: string;
            /** Format: uuid */
            group_id?: string;
        };
        Software: {
            name: string;
            version: string;
            vendor?: string;
            architecture?: string;
            size_bytes?: number;
            /** Format: date-time */
            installed_at?: string;
        };
        SoftwarePage: {
            items: components["schemas"]["Software"][];
            total: number;
            next_cursor?: string;
        };
        Group: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            parent_id?: string;
            /** @description for built-in groups a message code: group.all, group.lost_and_found */
            name: string;
            built_in: boolean;
            /** @description devices directly in this group */
            devices: number;
        };
        GroupPage: {
            items: components["schemas"]["Group"][];
        };
        GroupCreate: {
            name: string;
            /**
             * Format: uuid
             * @description All when absent
             */
            parent_id?: string;
        };
        Detection: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            device_id: string;
            device_name: string;
            name: string;
            type: components["schemas"]["DetectionType"];
            severity: components["schemas"]["Severity"];
            scanner: components["schemas"]["Scanner"];
            action: components["schemas"]["DetectionAction"];
            action_error?: string;
            /** @description path of the file */
            object: string;
            sha256?: string;
            size_bytes?: number;
            process?: string;
            /** @description user at that time */
            user?: string;
            engine?: string;
            engine_version?: string;
            signature_version?: string;
            /** Format: date-time */
            occurred_at: string;
            /** Format: date-time */
            received_at: string;
            resolved: boolean;
            /** Format: date-time */
            resolved_at?: string;
            resolved_by?: string;
        };
        DetectionPage: {
            items: components["schemas"]["Detection"][];
            total: number;
            next_cursor?: string;
        };
        DetectionResolve: {
            ids: string[];
            resolved: boolean;
        };
        Changed: {
            changed: number;
        };
        Quarantined: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            device_id: string;
            device_name: string;
            /** @description detection name */
            name: string;
            object: string;
            sha256: string;
            size_bytes: number;
            /** Format: date-time */
            quarantined_at: string;
        };
        QuarantinePage: {
            items: components["schemas"]["Quarantined"][];
            total: number;
            next_cursor?: string;
        };
        TaskCreate: {
            type: components["schemas"]["TaskType"];
            /** @description a name is made when absent */
            name?: string;
            devices: string[];
            /**
             * Format: uuid
             * @description the detection this task answers
             */
            detection_id?: string;
            scan?: components["schemas"]["ScanSettings"];
            message?: components["schemas"]["MessageSettings"];
        };
        ScanSettings: {
            /** @description absolute paths; the agent's default targets when absent */
            targets?: string[];
            /**
             * @description quarantine what is found
             * @default true
             */
            clean: boolean;
        };
        MessageSettings: {
            title?: string;
            text: string;
        };
        Task: {
            /** Format: uuid */
            id: string;
            type: components["schemas"]["TaskType"];
            /** @description empty when none was given; the reader names it by its type */
            name: string;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            /** Format: uuid */
            detection_id?: string;
            executions: components["schemas"]["ExecutionCounts"];
            scan?: components["schemas"]["ScanSettings"];
            message?: components["schemas"]["MessageSettings"];
        };
        ExecutionCounts: {
            total: number;
            pending: number;
            /** @description cancelling included */
            running: number;
            done: number;
            failed: number;
            cancelled: number;
            refused: number;
            /** @description mean over all executions */
            progress: number;
        };
        TaskPage: {
            items: components["schemas"]["Task"][];
            next_cursor?: string;
        };
        Execution: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            task_id: string;
            task_type: components["schemas"]["TaskType"];
            task_name: string;
            /** Format: uuid */
            device_id: string;
            device_name: string;
            state: components["schemas"]["ExecutionState"];
            progress: number;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            started_at?: string;
            /** Format: date-time */
            ended_at?: string;
            /** @description message code result.<code> */
            result_code?: string;
            result_args?: string[];
            files_scanned?: number;
            files_total?: number;
            found?: number;
        };
        ExecutionPage: {
            items: components["schemas"]["Execution"][];
            next_cursor?: string;
        };
        EnrolmentToken: {
            /** Format: uuid */
            id: string;
            name: string;
            /** Format: uuid */
            group_id: string;
            group_name: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at?: string;
            uses: number;
            max_uses?: number;
            revoked: boolean;
        };
        EnrolmentTokenPage: {
            items: components["schemas"]["EnrolmentToken"][];
        };
        EnrolmentTokenCreate: {
            name: string;
            /**
             * Format: uuid
             * @description Lost & found when absent
             */
            group_id?: string;
            /** @default 30 */
            valid_days: number;
            max_uses?: number;
        };
        EnrolmentTokenCreated: {
            token: components["schemas"]["EnrolmentToken"];
            /** @description shown only here */
            secret: string;
            agent_host: string;
            agent_port: number;
            ca_pem: string;
        };
        /** @description RFC 9457 */
        Problem: {
            type: string;
            /** @description in the caller's language */
            title: string;
            status: number;
            detail?: string;
            code: string;
            /** @description the field at fault, as a path such as scan.targets[3] */
            field?: string;
            allowed?: string[];
            limit?: number;
            used?: number;
            /** Format: date-time */
            resets_at?: string;
            trace_id?: string;
        };
    };
    responses: {
        /** @description Refused or failed */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: {
        UserId: string;
        SetId: string;
        SessionId: string;
        DeviceId: string;
        DetectionId: string;
        TaskId: string;
        ExecutionId: string;
        /** @description next_cursor of the page before */
        Cursor: string;
        Limit: number;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    sign_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignIn"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionGrant"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Renewed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionGrant"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    sign_out: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    password_change: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description Changed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionGrant"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: components["parameters"]["SessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    me_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Me */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    me_update: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MeUpdate"];
            };
        };
        responses: {
            /** @description Me */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    two_factor_begin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordProof"];
            };
        };
        responses: {
            /** @description The secret; it counts when it is confirmed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TwoFactorSecret"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    two_factor_end: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordProof"];
            };
        };
        responses: {
            /** @description Given up */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    two_factor_confirm: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TwoFactorCode"];
            };
        };
        responses: {
            /** @description Confirmed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    overview_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Figures */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Overview"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_list: {
        parameters: {
            query?: {
                /** @description Only devices in this group or below it */
                group?: string;
                status?: components["schemas"]["DeviceStatus"];
                os?: components["schemas"]["OsFamily"];
                /** @description Only devices with at least one problem */
                problems_only?: boolean;
                isolated?: boolean;
                /** @description Part of the name, description or an IP address */
                search?: string;
                sort?: "name" | "last_seen" | "os_name" | "problems" | "unresolved" | "enrolled_at";
                direction?: components["schemas"]["Direction"];
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DevicePage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                device_id: components["parameters"]["DeviceId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The device */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceDetail"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                device_id: components["parameters"]["DeviceId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Removed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    device_update: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                device_id: components["parameters"]["DeviceId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeviceUpdate"];
            };
        };
        responses: {
            /** @description The device */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceDetail"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_certificate_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                device_id: components["parameters"]["DeviceId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoked */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    device_software_list: {
        parameters: {
            query?: {
                search?: string;
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path: {
                device_id: components["parameters"]["DeviceId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SoftwarePage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    group_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Groups */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GroupPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    group_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GroupCreate"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Group"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    detection_list: {
        parameters: {
            query?: {
                device?: string;
                resolved?: boolean;
                severity?: components["schemas"]["Severity"];
                type?: components["schemas"]["DetectionType"];
                /** @description Part of the name, the object or the device's name */
                search?: string;
                /** @description Occurred at or after */
                from?: string;
                /** @description Occurred before */
                to?: string;
                sort?: "occurred_at" | "name" | "severity";
                direction?: "asc" | "desc";
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DetectionPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    detection_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                detection_id: components["parameters"]["DetectionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The detection */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Detection"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    detection_resolve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DetectionResolve"];
            };
        };
        responses: {
            /** @description How many changed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    quarantine_list: {
        parameters: {
            query?: {
                device?: string;
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuarantinePage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_list: {
        parameters: {
            query?: {
                type?: components["schemas"]["TaskType"];
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskCreate"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: components["parameters"]["TaskId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: components["parameters"]["TaskId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many changed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    execution_list: {
        parameters: {
            query?: {
                task?: string;
                device?: string;
                state?: components["schemas"]["ExecutionState"];
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    execution_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                execution_id: components["parameters"]["ExecutionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many changed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    target_list: {
        parameters: {
            query?: {
                /** @description Only devices in this group or below it */
                group?: string;
                /** @description Part of the name */
                search?: string;
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TargetPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    enrolment_token_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Tokens */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnrolmentTokenPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    enrolment_token_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EnrolmentTokenCreate"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnrolmentTokenCreated"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    enrolment_token_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoked */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    user_list: {
        parameters: {
            query?: {
                /** @description Part of the name, the display name or the e-mail address */
                search?: string;
                /** @description Only users who have this permission set */
                set?: string;
                enabled?: boolean;
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserCreate"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserPassword"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_update: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserUpdate"];
            };
        };
        responses: {
            /** @description The user */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    user_password_reset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Made */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserPassword"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_two_factor_reset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Taken away */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    user_session_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    user_session_end: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: components["parameters"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many ended */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    permission_set_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Sets */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PermissionSetPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    permission_set_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PermissionSetWrite"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PermissionSet"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    permission_set_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                set_id: components["parameters"]["SetId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The set */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PermissionSet"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    permission_set_update: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                set_id: components["parameters"]["SetId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PermissionSetWrite"];
            };
        };
        responses: {
            /** @description The set */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PermissionSet"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    permission_set_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                set_id: components["parameters"]["SetId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    audit_list: {
        parameters: {
            query?: {
                user?: string;
                /** @description All that was done to this object */
                object?: string;
                /** @description Kind of object, such as device */
                domain?: string;
                /** @description Such as device.update */
                action?: string;
                result?: components["schemas"]["AuditResult"];
                /** @description Part of the user's or the object's name or of the address */
                search?: string;
                /** @description At or after */
                from?: string;
                /** @description Before */
                to?: string;
                /** @description next_cursor of the page before */
                cursor?: components["parameters"]["Cursor"];
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    audit_head: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The signed head */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditHead"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    live_open: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            default: components["responses"]["Problem"];
        };
    };
}
