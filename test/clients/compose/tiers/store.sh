set -e
programs=/usr/lib/postgresql/17/bin data=/srv/postgres/data
as="setpriv --reuid=postgres --regid=postgres --init-groups"
cd /
if [ ! -s $data/PG_VERSION ]; then
  install -d -o postgres -m 700 $data
  $as $programs/initdb -D $data -A trust --no-locale -E UTF8
  echo "host all all all trust" >> $data/pg_hba.conf
  echo "CREATE TABLE visits (at timestamptz DEFAULT now());" |
    $as $programs/postgres --single -D $data postgres
fi
exec $as $programs/postgres -D $data -k /tmp -c 'listen_addresses=*' -c jit=off
