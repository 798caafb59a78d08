using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Hub;

/// <summary>The hub's ETags are checksums: of a file in git LFS its SHA-256 (64 hexadecimal digits), of any other git's blob hash (40), which is SHA-1("blob "
/// + length + "\0" + content).</summary>
/// <remarks>https://git-scm.com/book/en/v2/Git-Internals-Git-Objects.</remarks>
internal static class HubChecksum
{
    private const int Sha1Digits = 40;
    private const int Sha256Digits = 64;

    /// <summary>Whether an ETag is one of the two. It also names the blob, so nothing but digits may be in it.</summary>
    public static bool IsOne(string etag) => etag.Length is Sha1Digits or Sha256Digits && etag.All(char.IsAsciiHexDigitLower);

    /// <summary>Whether a file has the checksum; reads it to its end.</summary>
    public static async Task<bool> MatchesAsync(string path, string etag, CancellationToken cancellationToken)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan | FileOptions.Asynchronous);
#pragma warning disable CA5350 // git names blobs by SHA-1: it tells damage here, and is not trusted against forgers
        using var hash = IncrementalHash.CreateHash(etag.Length == Sha1Digits ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256);
#pragma warning restore CA5350
        if (etag.Length == Sha1Digits)
            hash.AppendData(Encoding.ASCII.GetBytes($"blob {stream.Length}\0"));
        byte[] buffer = new byte[1 << 20];
        for (int read; (read = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
            hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset()) == etag;
    }
}
