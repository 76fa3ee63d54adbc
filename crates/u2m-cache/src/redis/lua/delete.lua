-- life of the tombstone in ms
local fence = next_fence()
redis.call('HDEL', KEYS[1], 'session', 'grant', 'started', 'verdict', 'ahead', 'from', 'by')
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'fence', fence)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'ok'}
