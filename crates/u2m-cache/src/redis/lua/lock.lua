-- owner, lease in ms, life of an entry without a login in ms
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[1] then
  local life = tostring(redis.call('PTTL', KEYS[2]))
  return {'busy', life, field('generation'), field('grant'), '', field('verdict')}
end
local is_new = redis.call('EXISTS', KEYS[1]) == 0
local fence = next_fence()
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[1], 'fence', fence)
if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return reading({'ok', fence})
