"""A bank's teller system in one file, with Python's own library alone: a customer stands at the counter and wants a fee back.

It starts the sandbox, which says in one line where everything is, and plays both sides of the counter against it.
"""
import json, os, re, subprocess, time, uuid
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen


def send(url, body=None, method=None, **headers):
    """One call. A refusal is an HTTPError, whose body is a problem: a code for programs, words for people."""
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urlopen(Request(url, data, {"Content-Type": "application/json"} | named, method=method), timeout=30) as answer:
        return json.loads(answer.read() or "null")


def serve(urls, teller, id_number, keypad):
    """Gives a customer back what can come back. keypad is where they type the code that only their own phone got."""
    form = urlencode({"grant_type": "password", "username": teller, "password": "istirdad"}).encode()
    with urlopen(urls["bank"] + "/token", form, timeout=30) as granted:
        who = {"Authorization": "Bearer " + json.load(granted)["access_token"]}
    v1 = urls["gateway"] + "/v1/"
    session = send(v1 + "assisted-sessions", {"id_number": id_number, "document_seen": True}, **who)
    print("serving", session["customer"]["name"]["ar"], session["customer"]["id"]["number"])
    for fee in session["overview"]:  # before anything is asked of the customer
        print(" ", fee["name"]["ar"], "✓" if fee["refundable"] else fee["reason"])
    here = v1 + "assisted-sessions/" + session["assisted_session_id"]
    send(here + "/verify", {"code": keypad()}, **who)
    who["Assisted_Session"] = session["assisted_session_id"]  # from now on the teller's calls are for this customer
    account = send(v1 + "profile", **who)["accounts"][0]["account_id"]
    for service in send(v1 + "payments/e-payments", **who)["items"]:
        for request in send(f"{v1}payments/e-payments/{service['service']}/requests", **who)["items"]:
            if not request["refundable"]:
                continue
            asked = {"request_id": request["request_id"], "account_number": account, "id_number": id_number}
            refund = send(v1 + "refunds", asked, **who, Idempotency_Key=str(uuid.uuid4()))
            entered = None
            if refund["confirm_requires"] == "code":
                challenge = send(v1 + "otp/challenges", {"purpose": "refund", "refund_id": refund["refund_id"]}, **who)
                entered = {"challenge_id": challenge["challenge_id"], "code": keypad()}
            yield send(f"{v1}refunds/{refund['refund_id']}/confirm", entered or {}, **who)
    send(here, method="DELETE", **who)


if __name__ == "__main__":
    command = [os.environ.get("SANDBOX", "sandbox"), "-polite", "-free-ports", "-print-json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sandbox:
        try:
            at = json.loads(sandbox.stdout.readline())
            inbox = f"{at['control']}/phone/messages?to={quote('+966500000006')}"
            read = lambda: re.search(r":(\d{6})\n", send(inbox)["items"][0]["text"])[1]
            for receipt in serve(at, "t02", "2900000049", read):
                print(receipt["reference"], receipt["amount"]["amount"], receipt["promised_by"])
            while (verdict := send(at["control"] + "/referee"))["unfinished"]:
                time.sleep(0.1)
            print(verdict["verdict"], verdict["confirmed"], verdict["effects"])
        finally:
            sandbox.terminate()
