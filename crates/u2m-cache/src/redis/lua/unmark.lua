-- marker, the one of before
if field('started') == ARGV[1] then
  if ARGV[2] == '' then
    redis.call('HDEL', KEYS[1], 'started')
  else
    redis.call('HSET', KEYS[1], 'started', ARGV[2])
  end
end
return {'ok'}
