-- KEYS: 1 revision entry, 2 era. Gives {revision or '', digest}; a tombstone or an entry of another era is none.
local era = redis.call('GET', KEYS[2]) or '0'
local entry = redis.call('GET', KEYS[1])
if entry then
    local e, r, d = string.match(entry, '^(%d+):(%d+):(.*)$')
    if e == era then
        return {r, d}
    end
end
return {'', ''}
