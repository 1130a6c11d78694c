package sandbox

import (
	"crypto/ed25519"
	"net/url"
	"path/filepath"
	"time"

	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// secrets are a gateway's own, made the first time and kept with the sandbox's data.
type secrets struct {
	pepper []byte // of codes
	seal   []byte // of what people would rather keep to themselves
}

func keptSecrets(dir string) (s secrets, err error) {
	if s.pepper, err = keptSecret(filepath.Join(dir, "pepper")); err != nil {
		return secrets{}, err
	}
	s.seal, err = keptSecret(filepath.Join(dir, "seal"))
	return s, err
}

// configuration is that of a gateway whose neighbours are the stand-ins at these addresses: the sandbox's own gateway,
// and word for word one that runs elsewhere.
func configuration(o Options, at URLs, s secrets) config.Config {
	key := sandboxcore.TestKey()
	c := config.Default()
	c.Environment = config.Sandbox
	if o.Ops != "" {
		c.Listen.Ops = o.Ops
	}
	c.Database.URL, c.Database.MigrateOnStart = config.Secret(o.DatabaseURL), true
	c.Redis.URL = config.Secret(o.RedisURL)
	c.Keys.Pepper = config.EncodeKey(s.pepper)
	c.Keys.SealID, c.Keys.Seal = "sandbox", config.EncodeKey(s.seal)
	c.Core.URL, c.Core.KeyID, c.Core.Key = at.Core, "bank-"+sandboxseed.BankCode, config.EncodeSigningKey(key)
	c.Core.CoreKeys = map[string]string{"core-1": config.EncodePublicKey(key.Public().(ed25519.PublicKey))}
	if callback, err := url.Parse(o.Callback); err == nil {
		c.Core.CallbackAuthority = callback.Host // as the core signs it, whatever a proxy makes of it
	}
	c.Bank.URL, c.Bank.Issuer, c.Bank.Code = at.Bank, at.Bank, sandboxseed.BankCode
	c.SMS.URL, c.SMS.Sender = at.Control+"/phone/messages", "Istirdad"
	// The terms of the sandbox's bank (domain.md §7), whatever the defaults become.
	c.Terms.PromiseDays, c.Terms.MobileRest = 3, 72*time.Hour
	c.Terms.ConfirmCodeAbove, c.Terms.OnlineLimit = 1_000_00, 10_000_00
	c.Terms.CounterLimit, c.Terms.ApproveAbove = 20_000_00, 10_000_00
	return c
}
