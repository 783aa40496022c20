-- KEYS: 1 revision entry, 2 era. ARGV: 1 revision, 2 digest, 3 seconds. A tombstone stays, and so does a newer revision.
local entry = redis.call('GET', KEYS[1])
local era = redis.call('GET', KEYS[2]) or '0'
if entry == 'T' then
    return 0
end
if entry then
    local e, r = string.match(entry, '^(%d+):(%d+):')
    if e == era and tonumber(r) > tonumber(ARGV[1]) then
        return 0
    end
end
redis.call('SET', KEYS[1], era .. ':' .. ARGV[1] .. ':' .. ARGV[2], 'EX', ARGV[3])
return 1
