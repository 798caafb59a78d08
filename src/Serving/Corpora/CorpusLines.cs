namespace ManagedTransformers.Serving;

/// <summary>The lines of a shard, front to back. No more than one of them is in memory, and of one that is too long only its beginning.</summary>
internal sealed class CorpusLines : IDisposable
{
    /// <summary>The longest line that is read, in bytes.</summary>
    public const int MostLineBytes = 16 << 20;

    private const byte LineEnd = (byte)'\n';

    private readonly FileStream _file;
    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end;                              // what is read and not given out
    private long _left;                                    // bytes of the shard that are not read
    private long _next;

    /// <summary>Opens the input at the beginning of a shard.</summary>
    public CorpusLines(CorpusFile file, CorpusShard shard)
    {
        _file = file.Open();
        _file.Position = shard.Offset;
        (_left, _next) = (shard.Length, shard.FirstLine);
    }

    /// <summary>The number of the line that was read, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>Its bytes without the line end, until the next is read; empty where it is too long.</summary>
    public ReadOnlyMemory<byte> Line { get; private set; }

    /// <summary>How long it is, its end included.</summary>
    public long LineBytes { get; private set; }

    /// <summary>Whether it has more than <see cref="MostLineBytes"/>.</summary>
    public bool IsTooLong => LineBytes > MostLineBytes;

    /// <returns>Whether there was one more.</returns>
    /// <exception cref="CorpusException">The input is shorter than it was.</exception>
    public bool Read()
    {
        long dropped = 0;
        int looked = 0;
        while (true)
        {
            int at = _buffer.AsSpan((_start + looked).._end).IndexOf(LineEnd);
            if (at >= 0 || (_left == 0 && _end > _start) || (_left == 0 && dropped > 0))
            {
                int length = at >= 0 ? looked + at + 1 : _end - _start;
                Give(length, dropped, hasEnd: at >= 0);
                return true;
            }
            if (_left == 0) return false;
            looked = _end - _start;
            if (dropped > 0 || looked > MostLineBytes)
            {
                dropped += looked;                         // no more of it is kept
                _start = _end = looked = 0;
            }
            Fill();
        }
    }

    public void Dispose() => _file.Dispose();

    private void Give(int length, long dropped, bool hasEnd)
    {
        LineBytes = dropped + length;
        Line = IsTooLong ? default : _buffer.AsMemory(_start, hasEnd ? length - 1 : length);
        _start += length;
        Number = _next++;
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, 2 * _buffer.Length);
        int count = _file.Read(_buffer.AsSpan(_end, (int)Math.Min(_left, _buffer.Length - _end)));
        if (count == 0)
            throw new CorpusException($"{_file.Name} is {_left} bytes shorter than when the job began. Put the file back and go on, or start another job.");
        _end += count;
        _left -= count;
    }
}
