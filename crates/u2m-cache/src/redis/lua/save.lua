-- fence, generation, grant, new generation, new grant, session, life in ms, life of a tombstone in ms
if field('session') == ARGV[6] then return {'ok'} end
local fence = field('fence')
if fence ~= '' then
  -- Older ones tell of a server that came back with data of before: what is saved here is newer.
  if number(fence) > number(ARGV[1]) or number(field('generation')) > number(ARGV[2])
    or field('grant') ~= ARGV[3] then
    return {'superseded'}
  end
elseif micros() - number(ARGV[1]) > number(ARGV[8]) * 1000 then
  -- A logout leaves a tombstone. Where there is none, the data was lost, unless the tombstone's life is over too.
  return {'superseded'}
end
-- The first write of a script is the one that a full server refuses: giving back the marker's room is not refused.
redis.call('HDEL', KEYS[1], 'started', 'verdict')
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'generation', ARGV[4], 'grant', ARGV[5], 'session', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {'ok'}
