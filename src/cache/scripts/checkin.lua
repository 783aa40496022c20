-- One round trip of a check-in. KEYS: 1 revision entry, 2 floor or bucket, 3 era. ARGV: 1 'floor' or 'bucket'; for a floor
-- 2 its milliseconds; for a bucket 2 tokens a second, 3 burst.
-- Gives {allowed, milliseconds to wait, revision or '', digest}.
local allowed, wait = 1, 0
if ARGV[1] == 'floor' then
    if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then
        allowed, wait = 0, redis.call('PTTL', KEYS[2])
    end
else
    local clock = redis.call('TIME')
    local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
    local rate, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
    local tokens = burst
    local state = redis.call('GET', KEYS[2])
    if state then
        local t, a = string.match(state, '^([%d.]+):(%d+)$')
        if t then
            tokens = tonumber(t)
            if now > tonumber(a) then
                tokens = math.min(burst, tokens + (now - tonumber(a)) * rate / 1000)
            end
        end
    end
    if tokens < 1 then
        allowed, wait = 0, math.ceil((1 - tokens) / rate * 1000)
    else
        redis.call('SET', KEYS[2], string.format('%.3f:%d', tokens - 1, now), 'PX', math.ceil(burst / rate * 1000) + 1000)
    end
end
local era, revision, digest = redis.call('GET', KEYS[3]) or '0', '', ''
local entry = redis.call('GET', KEYS[1])
if entry then
    local e, r, d = string.match(entry, '^(%d+):(%d+):(.*)$') -- a tombstone does not match
    if e == era then
        revision, digest = r, d
    end
end
return {allowed, wait, revision, digest}
