// Package pgtest gives tests PostgreSQL servers of their own: real ones, in a temporary folder, on loopback, gone when
// the test is.
//
//	var server = pgtest.NewShared(pgtest.Template(func(ctx context.Context, owner string) error {
//		return postgres.Migrate(ctx, owner, postgres.MigrateOptions{Grant: pgtest.App})
//	}))
//
//	func TestMain(m *testing.M) { os.Exit(server.Main(m)) }
//
//	func TestBook(t *testing.T) {
//		db := server.Database(t) // a fresh copy of the template, in some 70 ms
//		s, err := postgres.Open(t.Context(), db.App, sealer, postgres.Options{})
//		…
//	}
//
// A [Shared] server is started by the first test that asks and serves the whole package; a test that breaks its server
// takes one for itself with [Start]. Each package has its own, so packages can be tested at the same time.
//
// # Two roles
//
// [Owner] owns the databases and may make more of them; [App] may only connect, and has what the owner grants it. Both
// come in without a password, as everybody on this machine does: there is nothing here that isn't made up. What a test
// wants to see or do past both of them it does with [Server.SQL], which is a superuser's psql.
//
// # How it breaks
//
// [Server.Kill] is a crash: the postmaster and all its children get SIGKILL at once, and nothing is written any more.
// [Server.Stop] shuts down fast (transactions are rolled back) or immediately (the next start recovers). Start begins
// again on the same files and the same port. Pause and Continue are SIGSTOP and SIGCONT to all of it: connections stay,
// and nobody answers. A server is as durable as one in production (fsync is on) unless a [Setting] says otherwise.
//
// # What it needs
//
// The programs of Debian's package postgresql-15 or newer, wherever Debian or the PATH has them. A machine without them
// fails the test and says so: a test that is skipped proves nothing. When the tests run as root, which PostgreSQL
// refuses, its processes run as the user postgres, or nobody. On Linux the kernel stops the server when the test's
// process dies, however it does, and a folder that was left behind is removed by the next test that starts a server.
package pgtest
