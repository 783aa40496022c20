-- KEYS: 1 revision entry, 2 era. ARGV: 1 revision, 2 digest, 3 seconds. What is no entry (a tombstone) stays,
-- and so does a newer revision.
local entry = redis.call('GET', KEYS[1])
local era = redis.call('GET', KEYS[2]) or '0'
if entry then
    local e, r = string.match(entry, '^(%d+):(%d+):')
    if not e or (e == era and tonumber(r) > tonumber(ARGV[1])) then
        return 0
    end
end
redis.call('SET', KEYS[1], era .. ':' .. ARGV[1] .. ':' .. ARGV[2], 'EX', ARGV[3])
return 1
