package bank

import (
	"cmp"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
)

// Text is what a person reads, in both languages of the product.
type Text = moi.Name

// states are the words of a refund's timeline. In doubt and waiting for people are, to a customer, work in progress:
// an unknown outcome is never told as a failure, and never as more than it is.
var states = map[gateway.State]Text{
	gateway.AwaitingApproval: {AR: "سُجّل الطلب وينتظر موافقة البنك", EN: "Recorded; waiting for the bank's approval"},
	gateway.Queued:           {AR: "سُجّل الطلب", EN: "Recorded"},
	gateway.Sending:          {AR: "يُرسل الطلب إلى الجهة الحكومية", EN: "Being sent to the government entity"},
	gateway.InDoubt:          {AR: "نتحقق من الطلب لدى الجهة الحكومية", EN: "Being checked with the government entity"},
	gateway.Pending:          {AR: "الطلب قيد المعالجة لدى الجهة الحكومية", EN: "The government entity is processing it"},
	gateway.Refunded:         {AR: "أعادت الجهة الحكومية المبلغ، ويجري إيداعه في حسابك", EN: "Released by the government entity; being credited to your account"},
	gateway.Returning:        {AR: "تعذّر الإيداع في الحساب، ويجري إرجاع المبلغ إلى الجهة الحكومية", EN: "The account could not be credited; the amount is being returned to the government entity"},
	gateway.Manual:           {AR: "يراجع موظفو البنك الطلب", EN: "Bank staff are looking into it"},
	gateway.Credited:         {AR: "أُودع المبلغ في حسابك", EN: "Credited to your account"},
	gateway.Rejected:         {AR: "رفضت الجهة الحكومية الطلب، ولم يُصرف أي مبلغ", EN: "Refused by the government entity; no money moved"},
	gateway.Cancelled:        {AR: "أُلغي الطلب قبل إرساله", EN: "Withdrawn before it was sent"},
	gateway.Returned:         {AR: "أُعيد المبلغ إلى الجهة الحكومية، نرجو زيارة الفرع", EN: "Returned to the government entity; please visit a branch"},
}

// StateText is what a customer reads of a state.
func StateText(s gateway.State) Text { return states[s] }

// ends are the words for a refund that was cancelled, by why; withdrawn is what any other is told as.
var ends = map[string]Text{
	gateway.ApprovalRefused: {AR: "لم يوافق البنك على الطلب، ولم يُرسل شيء", EN: "The bank did not approve it; nothing was sent"},
	gateway.ApprovalExpired: {AR: "انقضى اليوم دون موافقة البنك، ويمكن تقديم الطلب من جديد", EN: "The day ended without the bank's approval; it can be asked for again"},
}

// StandText is what a customer reads of where their refund stands.
func StandText(r gateway.Refund) Text {
	if r.State == gateway.Cancelled {
		return cmp.Or(ends[r.Reason], states[r.State])
	}
	return states[r.State]
}

var approved = Text{AR: "وافق البنك على الطلب", EN: "Approved by the bank"}

// StepText is what a customer reads of a step.
func StepText(e gateway.Event) Text {
	switch {
	case e.From != gateway.AwaitingApproval:
		return states[e.To]
	case e.To == gateway.Queued:
		return approved
	case e.Actor.Role == gateway.RoleApprover:
		return ends[gateway.ApprovalRefused]
	case e.Actor.Role == gateway.RoleDispatcher:
		return ends[gateway.ApprovalExpired]
	}
	return states[e.To]
}

// holds are the words for why a refund awaits approval.
var holds = map[gateway.Mark]Text{
	gateway.AboveLimit:      {AR: "تجاوز مجموع اليوم ما يقرره موظف واحد", EN: "The day comes to more than one person decides"},
	gateway.IdentityChecked: {AR: "تحقق الموظف من هوية العميل دون رمز", EN: "The customer was identified without a code"},
}

// flags are the words for what was seen of a confirm.
var flags = map[gateway.Mark]Text{
	FlagAccountOfMany:    {AR: "استُردت إلى هذا الحساب مؤخرًا رسوم أرقام هوية كثيرة", EN: "Lately fees of many ID numbers were refunded to this account"},
	FlagMobileChanged:    {AR: "تغيّر رقم جوال العميل قبل مدة قصيرة", EN: "The customer's mobile number changed a short while ago"},
	FlagOtherBeneficiary: {AR: "دُفع الرسم عن شخص آخر", EN: "The fee was paid for another person"},
	FlagCodesResent:      {AR: "أُرسلت إلى العميل رموز كثيرة قبيل التأكيد", EN: "The customer was sent many codes shortly before the confirm"},
	FlagTellerLooks:      {AR: "استعلم الموظف عن عملاء كثيرين في ذلك اليوم", EN: "The teller looked at many customers on that day"},
}

// MarkText is what an approver or operator reads of a mark.
func MarkText(m gateway.Mark) Text { return cmp.Or(holds[m], flags[m]) }

// statuses are what a customer is shown of a refund in a word or two.
var statuses = map[gateway.Status]Text{
	gateway.StatusProcessing:  {AR: "قيد المعالجة", EN: "Processing"},
	gateway.StatusCompleted:   {AR: "مكتمل", EN: "Completed"},
	gateway.StatusRejected:    {AR: "مرفوض", EN: "Refused"},
	gateway.StatusCancelled:   {AR: "ملغى", EN: "Withdrawn"},
	gateway.StatusVisitBranch: {AR: "نرجو زيارة الفرع", EN: "Please visit a branch"},
}

// StatusText is what a customer reads of a status.
func StatusText(s gateway.Status) Text { return statuses[s] }

// reasons are the words for why something can't come back.
var reasons = map[Reason]Text{
	PayerMismatch:        {AR: "دفع هذا الرسم شخص آخر، ومن دفعه هو من يطلب استرداده من بنكه", EN: "Somebody else paid this fee; whoever paid asks for it at their bank"},
	ServiceNotRefundable: {AR: "رسوم هذه الخدمة لا تُسترد", EN: "The fee of this service cannot be refunded"},
	FeeConsumed:          {AR: "استُخدم هذا الرسم، والرسوم المستخدمة لا تُسترد", EN: "The fee was used, and a used fee cannot be refunded"},
	RefundExists:         {AR: "استُرد هذا الرسم أو يجري استرداده", EN: "The fee has been refunded or is being refunded"},
	OtherBank:            {AR: "دُفع هذا الرسم عن طريق بنك آخر، ويُطلب استرداده من ذلك البنك", EN: "The fee was paid through another bank; ask that bank"},
	AccountIsClosed:      {AR: "الحساب الذي دُفع منه الرسم مغلق، نرجو زيارة الفرع", EN: "The account that paid is closed; please visit a branch"},
	AccountIsFrozen:      {AR: "الحساب الذي دُفع منه الرسم مجمّد، نرجو زيارة الفرع", EN: "The account that paid is frozen; please visit a branch"},
	AlreadyRefunded:      {AR: "طُلب استرداد هذا الرسم من قبل، عن طريق البوابة الحكومية أو بنك، ولا يُسترد مرتين", EN: "The fee was asked back before, on the government's portal or through a bank; it is not given back twice"},
	AmountChanged:        {AR: "تغيّر المبلغ لدى الجهة الحكومية، نرجو إعادة الطلب", EN: "The amount changed at the government entity; please ask again"},
}

// Reasons lists every reason, in the order in which the first that holds is told.
func Reasons() []Reason {
	return []Reason{
		PayerMismatch, ServiceNotRefundable, FeeConsumed, RefundExists, OtherBank, AccountIsClosed, AccountIsFrozen,
		AlreadyRefunded, AmountChanged,
	}
}

// Text is what a customer reads of the reason; zero for one that isn't for customers.
func (r Reason) Text() Text { return reasons[r] }

var warnings = map[Warning]Text{
	IdentityExpired: {AR: "انتهت صلاحية هويتك، وقد يتأخر الاسترداد", EN: "Your ID has expired; the refund may take longer"},
}

// Text is what a customer reads of the warning.
func (w Warning) Text() Text { return warnings[w] }
