using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Hub;


/// <summary>A file as the hub describes it before it is read.</summary>
/// <param name="Name">Its path in the repository.</param>
/// <param name="Etag">Its checksum, which also names the blob.</param>
/// <param name="Size">Its size; null where the server does not say it.</param>
internal sealed record HubRemoteFile(string Name, string Etag, long? Size);

/// <summary>Brings one blob to the cache: into <c>ETAG.incomplete</c>, from where the last try ended, and under its name only when its checksum is right. The
/// caller holds the blob's lock.</summary>
internal sealed class HubBlob(HubRequests requests, HubErrors errors, HubOptions options, Uri address, HubRemoteFile file, string path)
{
    public const string IncompleteSuffix = ".incomplete";
    private const int BufferBytes = 1 << 18;

    private readonly string _partial = path + IncompleteSuffix;

    /// <summary>Downloads it.</summary>
    /// <param name="arrived">Told how many of its bytes are there.</param>
    /// <param name="cancellationToken">Ends it; what has arrived stays for the next time.</param>
    /// <exception cref="HubException">It cannot be had, or what arrives is something else.</exception>
    public async Task DownloadAsync(Action<long> arrived, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            await ReadAllAsync(arrived, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            if (Length() == 0) File.Delete(_partial);      // nothing to go on with
            throw;
        }
        File.Move(_partial, path, overwrite: true);
        SystemCalls.FlushDirectory(Path.GetDirectoryName(path)!);
    }

    private async Task ReadAllAsync(Action<long> arrived, CancellationToken cancellationToken)
    {
        var retry = new HubRetry(options);
        bool continued = Length() > 0;
        while (true)
        {
            await retry.RunAsync(file.Name, () => ReadRestAsync(arrived, cancellationToken), Length, cancellationToken).ConfigureAwait(false);
            if (await HubChecksum.MatchesAsync(_partial, file.Etag, cancellationToken).ConfigureAwait(false)) break;
            long length = Length();
            File.Delete(_partial);
            if (!continued)
                throw new HubException($"{file.Name}: the {length} bytes that arrived have another checksum than the hub's {file.Etag}. " +
                    "They were removed; download it again, and look for a proxy that changes files.");
            continued = false;                             // the part that was there may have been another's: once more, from the start
        }
    }

    private long Length() => new FileInfo(_partial) is { Exists: true } partial ? partial.Length : 0;

    /// <summary>One request for what is missing.</summary>
    /// <returns>The file's length.</returns>
    private async Task<long> ReadRestAsync(Action<long> arrived, CancellationToken cancellationToken)
    {
        using var output = new FileStream(_partial, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        if (output.Length > file.Size) output.SetLength(0);
        if (output.Length == file.Size) return output.Length;
        using HttpResponseMessage response = await requests
            .SendAsync(HttpMethod.Get, address, output.Length, leaveHub: true, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && output.Length > 0)
        {
            if (file.Size is null && response.Content.Headers.ContentRange?.Length == output.Length) return output.Length;
            output.SetLength(0);
            throw new HubTransientException("The server has no such part of it.");
        }
        errors.Require(response, file.Name);
        long? announced = RequireAnnounced(response, output);
        output.Seek(0, SeekOrigin.End);
        await CopyAsync(response, output, announced, arrived, cancellationToken).ConfigureAwait(false);
        output.Flush(flushToDisk: true);
        return output.Length;
    }

    /// <summary>The part must be the one that was asked for; servers that ignore Range send all, and what was there is dropped.</summary>
    /// <returns>The size of the whole file, as it is said; null where it is not.</returns>
    private long? RequireAnnounced(HttpResponseMessage response, FileStream output)
    {
        long? total = response.Content.Headers.ContentLength;
        if (response.StatusCode == HttpStatusCode.PartialContent)
        {
            if (response.Content.Headers.ContentRange?.From != output.Length)
            {
                output.SetLength(0);
                throw new HubTransientException("The server sends another part than was asked for.");
            }
            total = response.Content.Headers.ContentRange.Length;
        }
        else
        {
            output.SetLength(0);
        }
        if (file.Size is long size && total is long announced && announced != size)
        {
            output.SetLength(0);
            throw new HubException($"{file.Name} has {size} bytes by the hub's description, but the server that sends it says {announced}. " +
                "Nothing of it was kept; try again later.");
        }
        return file.Size ?? total;
    }

    private async Task CopyAsync(HttpResponseMessage response, FileStream output, long? size, Action<long> arrived, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        using Stream input = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        for (int read; (read = await ReadAsync(input, buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            if (output.Length + read > (size ?? options.MostUnannounced))
            {
                output.SetLength(0);
                throw new HubException(size is null
                    ? $"{file.Name} has more than {options.MostUnannounced} bytes, and no server says how many. Nothing of it was kept. Is HF_ENDPOINT a hub?"
                    : $"{file.Name} has {size} bytes by the hub's description, but more arrive. Nothing of it was kept; try again later.");
            }
            await output.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
            arrived(output.Position);
        }
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (output.Length < file.Size)
            throw new HubTransientException($"The connection ended after {output.Length} of {file.Size} bytes.");
    }

    private Task<int> ReadAsync(Stream input, byte[] buffer, CancellationToken cancellationToken) => requests.ReceiveAsync(
        silence => input.ReadAsync(buffer, silence).AsTask(), $"Nothing arrived for {options.Timeout.TotalSeconds:0} seconds.", cancellationToken);
}

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

/// <summary>A lock file, held by one process at a time: huggingface_hub's own (flock), so that its downloads are waited for too.</summary>
internal static class HubLock
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits until nobody has it.</summary>
    /// <returns>Disposing it lets go.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled while it waited.</exception>
    public static async Task<FileStream> TakeAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (Unfinished.IsHeld(e))
            {
                await Task.Delay(Poll, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
