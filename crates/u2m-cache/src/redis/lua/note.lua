-- fence, verdict
if field('fence') ~= ARGV[1] then return {'superseded'} end
redis.call('HSET', KEYS[1], 'verdict', ARGV[2])
return {'ok'}
