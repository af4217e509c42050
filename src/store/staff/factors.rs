//! What staff prove themselves with: password, app, recovery codes, passkeys.

use crate::{
    domain::time::Timestamp,
    ids::StaffId,
    store::{Error, Tx, db::on},
};

/// What is known of how somebody proves who they are.
#[derive(Clone)]
pub struct Factors {
    /// The password's hash.
    pub password: Option<String>,
    /// When it was set.
    pub password_set_at: Option<Timestamp>,
    /// Whether it must be changed at the next login.
    pub must_change: bool,
    /// What the secret of their app comes from,
    pub totp_salt: Option<String>,
    /// and since when it is used; `None` while it is only offered.
    pub totp_since: Option<Timestamp>,
    /// The last step whose code was taken.
    pub totp_step: i64,
    /// Wrong passwords and codes in a row.
    pub failures: u32,
    /// Until when none is taken.
    pub locked_until: Timestamp,
    /// How many recovery codes are left.
    pub recovery_codes: i64,
    /// How many passkeys there are.
    pub passkeys: i64,
}

impl Factors {
    /// Whether a password alone opens nothing.
    pub const fn has_second(&self) -> bool {
        self.totp_since.is_some() || self.passkeys > 0
    }
}

impl std::fmt::Debug for Factors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Factors")
            .field("password", &self.password.is_some())
            .field("totp", &self.totp_since.is_some())
            .field("recovery_codes", &self.recovery_codes)
            .field("passkeys", &self.passkeys)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    password: Option<String>,
    password_set_at: Option<i64>,
    must_change: bool,
    totp_salt: Option<String>,
    totp_since: Option<i64>,
    totp_step: i64,
    failures: i64,
    locked_until: i64,
    recovery_codes: i64,
    passkeys: i64,
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT password, password_set_at, must_change, totp_salt, totp_since, totp_step, failures,
                locked_until,
                (SELECT COUNT(*) FROM staff_recovery_codes c WHERE c.staff = staff.id) AS recovery_codes,
                (SELECT COUNT(*) FROM staff_passkeys p WHERE p.staff = staff.id) AS passkeys
            FROM staff WHERE ",
            $where
        )
    };
}

const GET: &str = select!("id = $1");

/// Somebody's factors.
pub async fn get(tx: &mut Tx, staff: &StaffId) -> Result<Option<Factors>, Error> {
    fetch(tx, GET, staff).await
}

/// Somebody's factors, which nobody else changes until this is committed: of many who try codes at once, each sees
/// what those before got wrong.
pub async fn lock(tx: &mut Tx, staff: &StaffId) -> Result<Option<Factors>, Error> {
    const LOCKED: &str = select!("id = $1 FOR NO KEY UPDATE");
    let sql = if tx.locks() { LOCKED } else { GET };
    fetch(tx, sql, staff).await
}

async fn fetch(tx: &mut Tx, sql: &'static str, staff: &StaffId) -> Result<Option<Factors>, Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(sql).bind(staff).fetch_optional(conn).await?);
    Ok(row.map(|row| Factors {
        password: row.password,
        password_set_at: row.password_set_at.map(Timestamp::from_millis),
        must_change: row.must_change,
        totp_salt: row.totp_salt,
        totp_since: row.totp_since.map(Timestamp::from_millis),
        totp_step: row.totp_step,
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        locked_until: Timestamp::from_millis(row.locked_until),
        recovery_codes: row.recovery_codes,
        passkeys: row.passkeys,
    }))
}

/// Sets the hash of a password; it need not be changed again.
pub async fn set_password(
    tx: &mut Tx,
    staff: &StaffId,
    hash: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE staff SET password = $2, password_set_at = $3, must_change = FALSE WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(staff).bind(hash).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Says that the password must be changed at the next login.
pub async fn set_must_change(tx: &mut Tx, staff: &StaffId) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET must_change = TRUE WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(staff).execute(conn).await?;
    });
    Ok(())
}

/// Notes wrong passwords and codes in a row, and until when none is taken.
pub async fn set_failures(
    tx: &mut Tx,
    staff: &StaffId,
    failures: u32,
    locked_until: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET failures = $2, locked_until = $3 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(staff)
            .bind(i64::from(failures))
            .bind(locked_until.millis())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Offers an app its secret, in use from `since` on; without a salt there is none any more.
pub async fn set_totp(
    tx: &mut Tx,
    staff: &StaffId,
    salt: Option<&str>,
    since: Option<Timestamp>,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET totp_salt = $2, totp_since = $3 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL)
            .bind(staff)
            .bind(salt)
            .bind(since.map(Timestamp::millis))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Takes the code of a step; whether none of that or a later one was taken before.
pub async fn take_step(tx: &mut Tx, staff: &StaffId, step: i64) -> Result<bool, Error> {
    const SQL: &str = "UPDATE staff SET totp_step = $2 WHERE id = $1 AND totp_step < $2";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(staff)
        .bind(step)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Replaces somebody's recovery codes.
pub async fn set_recovery_codes(
    tx: &mut Tx,
    staff: &StaffId,
    codes: &[String],
) -> Result<(), Error> {
    const CLEAR: &str = "DELETE FROM staff_recovery_codes WHERE staff = $1";
    const SQL: &str = "INSERT INTO staff_recovery_codes (hash, staff) VALUES ($1, $2)";
    on!(tx, |conn| {
        sqlx::query(CLEAR).bind(staff).execute(conn).await?;
    });
    for code in codes {
        let hash = recovery_hash(tx, staff, code);
        on!(tx, |conn| {
            sqlx::query(SQL).bind(&hash).bind(staff).execute(conn).await?;
        });
    }
    Ok(())
}

fn recovery_hash(tx: &Tx, staff: &StaffId, code: &str) -> String {
    tx.keyring().token_hash(&format!("recovery:{staff}:{code}"))
}

/// Uses a recovery code up; whether it was one of theirs.
pub async fn take_recovery_code(tx: &mut Tx, staff: &StaffId, code: &str) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_recovery_codes WHERE hash = $1 AND staff = $2";
    let hash = recovery_hash(tx, staff, code);
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&hash)
        .bind(staff)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// A passkey.
#[derive(Debug, Clone)]
pub struct Passkey {
    /// The credential's id, in base64url.
    pub id: String,
    /// Whose it is.
    pub staff: StaffId,
    /// What its owner calls it.
    pub name: String,
    /// The public key and its counter, as JSON.
    pub credential: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct PasskeyRow {
    id: String,
    staff: StaffId,
    name: String,
    credential: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

fn passkey(row: PasskeyRow) -> Passkey {
    Passkey {
        id: row.id,
        staff: row.staff,
        name: row.name,
        credential: row.credential,
        created_at: Timestamp::from_millis(row.created_at),
        last_used_at: row.last_used_at.map(Timestamp::from_millis),
    }
}

/// Adds a passkey.
///
/// # Errors
/// [`Error::Conflict`] if it is there already.
pub async fn insert_passkey(tx: &mut Tx, new: &Passkey) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO staff_passkeys (id, staff, name, credential, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(&new.id)
        .bind(&new.staff)
        .bind(&new.name)
        .bind(&new.credential)
        .bind(new.created_at.millis())
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// Somebody's passkeys, the oldest first.
pub async fn passkeys(tx: &mut Tx, staff: &StaffId) -> Result<Vec<Passkey>, Error> {
    const SQL: &str = "
        SELECT id, staff, name, credential, created_at, last_used_at FROM staff_passkeys
        WHERE staff = $1 ORDER BY created_at, id";
    let rows: Vec<PasskeyRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(staff).fetch_all(conn).await?);
    Ok(rows.into_iter().map(passkey).collect())
}

/// The passkey of that id.
pub async fn passkey_by_id(tx: &mut Tx, id: &str) -> Result<Option<Passkey>, Error> {
    const SQL: &str = "
        SELECT id, staff, name, credential, created_at, last_used_at FROM staff_passkeys
        WHERE id = $1";
    let row: Option<PasskeyRow> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?);
    Ok(row.map(passkey))
}

/// Notes that a passkey was used, and its counter.
pub async fn passkey_used(
    tx: &mut Tx,
    id: &str,
    credential: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff_passkeys SET credential = $2, last_used_at = $3 WHERE id = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(id).bind(credential).bind(now.millis()).execute(conn).await?;
    });
    Ok(())
}

/// Takes every passkey of somebody away.
pub async fn delete_passkeys(tx: &mut Tx, staff: &StaffId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM staff_passkeys WHERE staff = $1";
    on!(tx, |conn| {
        sqlx::query(SQL).bind(staff).execute(conn).await?;
    });
    Ok(())
}

/// Takes a passkey away; whether it was one of theirs.
pub async fn delete_passkey(tx: &mut Tx, staff: &StaffId, id: &str) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM staff_passkeys WHERE id = $1 AND staff = $2";
    let done =
        on!(tx, |conn| sqlx::query(SQL).bind(id).bind(staff).execute(conn).await?.rows_affected());
    Ok(done == 1)
}
