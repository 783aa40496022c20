-- Token buckets, all or none. KEYS: one per bucket; ARGV: tokens a second and burst of each. Takes one token of each.
-- Gives {1, tokens left in the emptiest, 0, 0} or {0, 0, index of the bucket that refuses (from 1), milliseconds to wait}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local left, least = {}, nil
local refused, wait = 0, 0
for i = 1, #KEYS do
    local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local tokens, at = burst, now
    local state = redis.call('GET', KEYS[i])
    if state then
        local t, a = string.match(state, '^([%d.]+):(%d+)$')
        if t then
            tokens, at = tonumber(t), tonumber(a)
            if now > at then
                tokens = math.min(burst, tokens + (now - at) * rate / 1000)
            end
        end
    end
    left[i] = tokens - 1
    if tokens < 1 then
        local ms = math.ceil((1 - tokens) / rate * 1000)
        if ms > wait then
            refused, wait = i, ms
        end
    elseif not least or left[i] < least then
        least = left[i]
    end
end
if refused > 0 then
    return {0, 0, refused, wait}
end
for i = 1, #KEYS do
    local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    redis.call('SET', KEYS[i], string.format('%.3f:%d', left[i], now), 'PX', math.ceil(burst / rate * 1000) + 1000)
end
return {1, math.floor(least or 0), 0, 0}
