using System.Buffers;
using System.IO.Pipelines;

namespace ManagedTransformers.Server;

/// <summary>Reads the body of a request as JSON.</summary>
internal static class RequestBody
{
    private static readonly byte[] s_byteOrderMark = [0xEF, 0xBB, 0xBF];

    /// <summary>Reads to the end and parses, with the bytes in the document's own memory.</summary>
    /// <remarks>
    /// Cancellation goes through <see cref="PipeReader.CancelPendingRead"/>. A read that a token ends leaves Kestrel's reader in the middle of it, and the
    /// server logs an error when it skips the rest of the body.
    /// </remarks>
    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task<JsonDocument> ParseAsync(PipeReader body, JsonDocumentOptions options, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.Register(body.CancelPendingRead);
        while (true)
        {
            ReadResult read = await body.ReadAsync(CancellationToken.None).ConfigureAwait(false);
            if (read.IsCanceled || cancellationToken.IsCancellationRequested)
            {
                body.AdvanceTo(read.Buffer.Start);
                throw new OperationCanceledException(cancellationToken);
            }
            if (!read.IsCompleted)
            {
                body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }
            try
            {
                ReadOnlyMemory<byte> bytes = read.Buffer.ToArray();
                return JsonDocument.Parse(bytes.Span.StartsWith(s_byteOrderMark) ? bytes[s_byteOrderMark.Length..] : bytes, options);
            }
            finally
            {
                body.AdvanceTo(read.Buffer.End);
            }
        }
    }
}
