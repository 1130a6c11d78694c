package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/config"
)

// checkCommand says "ok" and what is in effect, secrets masked, or a line for each thing that is wrong: with the
// configuration, and with the bank's profile that it names.
func checkCommand(_ context.Context, i *invocation) error {
	c, err := config.Load(i.configFile, i.environ)
	if err != nil {
		fmt.Fprintln(i.stderr, err)
		return errTold
	}
	profile, err := config.LoadProfile(c.Bank.ProfileFile)
	if err != nil {
		return err // it has changed in between
	}
	fmt.Fprintf(i.stdout, "ok\n\n%s\n# %s\n%s", c, c.Bank.ProfileFile, profile)
	return nil
}

// migrateCommand brings the schema up to date. It may be run at any time and any number of times, by several at once too.
func migrateCommand(ctx context.Context, i *invocation) error {
	database, err := config.LoadDatabase(i.configFile, i.environ)
	if err != nil {
		fmt.Fprintln(i.stderr, err)
		return errTold
	}
	log := slog.New(slog.NewTextHandler(i.stdout, nil))
	err = postgres.Migrate(ctx, string(database.OwnerURL()), postgres.MigrateOptions{Grant: database.Role, Log: log})
	if err != nil {
		return err
	}
	fmt.Fprintln(i.stdout, "the schema is up to date")
	return nil
}

func versionCommand(_ context.Context, i *invocation) error {
	_, err := fmt.Fprintln(i.stdout, "gateway", version())
	return err
}

// release is the version of an image, whose build sees no repository to ask: -ldflags "-X main.release=v1.2.3".
var release string

// version is what this program was built from: the release, the module's version, or the commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
