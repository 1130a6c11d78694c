package moi

import "slices"

// The buckets of a balance: the identifiers of the wire (api.md, core-protocol.md).
const (
	BucketPassports      = "passports"
	BucketSponsorees     = "sponsorees"
	BucketVehicles       = "vehicles"
	BucketDrivingLicense = "driving_license"
	BucketLabour         = "labour"
	BucketCivil          = "civil" // of ours: the government's page shows five
)

// Bucket is one of the sums into which a balance of unused fees is divided.
type Bucket struct {
	ID   string
	Name Name
}

var buckets = []Bucket{
	{BucketPassports, Name{"رصيد الجوازات", "Passports Deposit"}},
	{BucketSponsorees, Name{"رصيد المكفولين", "Sponsorees Deposit"}},
	{BucketVehicles, Name{"رصيد المركبات", "Vehicles Deposit"}},
	{BucketDrivingLicense, Name{"رصيد رخص القيادة", "Driving License Deposit"}},
	{BucketLabour, Name{"رصيد العمالة", "Labour Deposit"}},
	{BucketCivil, Name{"رصيد الأحوال المدنية", "Civil Affairs Deposit"}},
}

// Buckets returns all six in the order in which they are shown.
func Buckets() []Bucket { return slices.Clone(buckets) }
