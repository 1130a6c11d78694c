package sandbox

import (
	"crypto/ed25519"
	"net/url"
	"path/filepath"
	"strings"
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
	c.Bank.ProfileFile = o.Profile
	c.SMS.URL = at.Control + "/phone/messages"
	return c
}

// profile is that of the sandbox's bank (domain.md §7), whatever the defaults become.
func profile() config.Profile {
	p := config.DefaultProfile()
	p.Promise.Days, p.Promise.CutOff, p.Promise.Holidays = 3, 0, nil
	p.Limits = config.Limits{
		ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00, CounterLimit: 20_000_00, ApproveAbove: 10_000_00,
	}
	p.Approvals = config.Approvals{BackOffice: "back-office"}
	p.Codes = config.Codes{Digits: 6, Life: 3 * time.Minute, MobileRest: 72 * time.Hour}
	p.SMS.Sender = "Istirdad"
	p.SMS.BankName = config.Text{AR: "مصرف تجريبي", EN: "Sandbox bank"} // whoever holds a receipt sees what it is worth
	return p
}

// writeConfiguration writes a configuration. When it names no profile, one is written beside it: beside gateway.yaml it is
// gateway.profile.yaml.
func writeConfiguration(c config.Config, path string) error {
	if c.Bank.ProfileFile == "" {
		c.Bank.ProfileFile = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + ".profile.yaml"
		if err := profile().Write(filepath.Join(filepath.Dir(path), c.Bank.ProfileFile)); err != nil {
			return err
		}
	}
	return c.Write(path)
}

// keepProfile is the file of the sandbox's own gateway, unless one was given. It is written the first time, and may be
// edited from then on.
func keepProfile(dir string) (path string, err error) {
	path = filepath.Join(dir, "profile.yaml")
	_, err = kept(path, func() ([]byte, error) { return []byte(profile().String()), nil })
	return path, err
}
