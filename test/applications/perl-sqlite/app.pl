use Mojolicious::Lite -signatures;
use DBI;

my $db = DBI->connect('dbi:SQLite:/data/app.sqlite', '', '', { RaiseError => 1 });
$db->do('CREATE TABLE IF NOT EXISTS rows (n INTEGER)');
get '/' => sub ($c) { $c->render(text => 'ok') };
get '/add/:n' => sub ($c) {
    $db->do('INSERT INTO rows VALUES (?)', undef, $c->param('n'));
    my ($count) = $db->selectrow_array('SELECT COUNT(*) FROM rows');
    $c->render(text => "$count rows");
};
app->start;
