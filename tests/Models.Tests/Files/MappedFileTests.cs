using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace ManagedTransformers.Models.Tests;

[TestFixture]
public class MappedFileTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void A_file_is_read_where_asked()
    {
        using MappedFile file = MappedFile.Open(_directory.Add("f", [10, 11, 12, 13]));
        Assert.That((file.Length, file.Name), Is.EqualTo((4L, "f")));
        Assert.That(file.Slice(1, 2).ToArray(), Is.EqualTo(new byte[] { 11, 12 }));
        Assert.That(file.Slice(4, 0).Length, Is.Zero);
    }

    [TestCase(0, 5)]
    [TestCase(4, 1)]
    [TestCase(-1, 1)]
    [TestCase(1, -1)]
    [TestCase(long.MaxValue, 1)]
    public void A_range_outside_the_file_is_refused(long offset, int length)
    {
        using MappedFile file = MappedFile.Open(_directory.Add("f", [10, 11, 12, 13]));
        Assert.That(() => file.Slice(offset, length).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void An_empty_file_is_a_file_of_no_bytes()
    {
        using MappedFile file = MappedFile.Open(_directory.Add("f", []));
        Assert.That(file.Length, Is.Zero);
        Assert.That(file.Slice(0, 0).IsEmpty, Is.True);
    }

    [Test]
    public void A_missing_file_and_a_directory_say_what_they_are()
    {
        Assert.That(() => MappedFile.Open(_directory["none"]), Throws.TypeOf<CheckpointException>().With.Message.Contains("does not exist"));
        Assert.That(() => MappedFile.Open(_directory["no/where"]), Throws.TypeOf<CheckpointException>().With.Message.Contains("does not exist"));
        Assert.That(() => MappedFile.Open(_directory.Path), Throws.TypeOf<CheckpointException>().With.Message.Contains("is a directory"));
        Assert.That(() => MappedFile.Open(""), Throws.ArgumentException);
    }

    [Test]
    public void A_file_without_read_permission_says_so()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("Unix permissions.");
            return;
        }

        string path = _directory.Add("f", [1]);
        File.SetUnixFileMode(path, UnixFileMode.None);
        if (Environment.IsPrivilegedProcess) Assert.Ignore("This user may read every file.");
        Assert.That(() => MappedFile.Open(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("may not be read"));
    }

    [Test]
    public void A_file_that_is_closed_is_mapped_and_open_no_longer()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/proc/self/maps says what is mapped; only Linux has it.");
        string path = _directory.Add("f", [10, 11, 12, 13]);
        MappedFile file = MappedFile.Open(path);
        Assert.That((IsMapped(), IsOpen()), Is.EqualTo((true, true)));
        file.Dispose();
        Assert.That((IsMapped(), IsOpen()), Is.EqualTo((false, false)));

        bool IsMapped() => File.ReadLines("/proc/self/maps").Any(line => line.EndsWith(path, StringComparison.Ordinal));
        bool IsOpen() => Directory.EnumerateFiles("/proc/self/fd").Any(link => new FileInfo(link).LinkTarget == path);
    }

    [Test]
    public void A_lease_keeps_the_memory_after_disposal_and_no_new_lease_is_given()
    {
        MappedFile file = MappedFile.Open(_directory.Add("f", [42]));
        FileLease lease = file.Acquire();
        file.Dispose();
        file.Dispose();
        Assert.That(file.Slice(0, 1)[0], Is.EqualTo(42));
        Assert.That(() => file.Acquire(), Throws.TypeOf<ObjectDisposedException>());
        lease.Dispose();
        lease.Dispose();
        Assert.That(() => file.Slice(0, 1).Length, Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("f was disposed"));
    }

    [Test]
    public void A_span_of_a_file_that_nobody_holds_any_more_stays_readable()
    {
        ReadOnlySpan<byte> span = SpanOfForgottenFile(_directory.Add("f", [42]));
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.That(span[0], Is.EqualTo(42));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ReadOnlySpan<byte> SpanOfForgottenFile(string path) => MappedFile.Open(path).Slice(0, 1);

    [Test]
    public void The_mapping_ends_with_the_last_of_several_leases([Values(0, 1, 2)] int last)
    {
        MappedFile file = MappedFile.Open(_directory.Add("f", [42]));
        FileLease[] leases = [file.Acquire(), file.Acquire(), file.Acquire()];
        file.Dispose();
        for (int i = 0; i < leases.Length; i++)
            if (i != last) leases[i].Dispose();
        Assert.That(file.Slice(0, 1)[0], Is.EqualTo(42));
        leases[last].Dispose();
        Assert.That(() => file.Slice(0, 1).Length, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Weights_of_a_disposed_checkpoint_are_readable_while_leased([Values] Way way)
    {
        SafetensorsFile file = way.Open(RawSafetensors.WithTensors("a"), _directory);
        Weight weight = file.Weights["a"];
        FileLease lease = file.Acquire();
        file.Dispose();
        Assert.That(weight.Bytes[1], Is.EqualTo(1));
        Assert.That(() => file.Acquire(), Throws.TypeOf<ObjectDisposedException>());
        lease.Dispose();
        Assert.That(() => weight.Bytes.Length, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void A_checkpoint_lease_holds_every_shard()
    {
        _directory.Add("x.safetensors", RawSafetensors.WithTensors("a"));
        _directory.Add("y.safetensors", RawSafetensors.WithTensors("b"));
        _directory.Add(Checkpoint.IndexFileName, RawSafetensors.Index(("a", "x.safetensors"), ("b", "y.safetensors")));
        Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        FileLease lease = checkpoint.Acquire();
        checkpoint.Dispose();
        Assert.That(checkpoint.Weights.Values.Select(weight => weight.ToSingle().Length), Is.EqualTo(new[] { 1, 1 }));
        lease.Dispose();
        foreach (Weight weight in checkpoint.Weights.Values)
            Assert.That(() => weight.Bytes.Length, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Threads_that_hold_a_lease_read_right_bytes_while_another_disposes()
    {
        string path = _directory.Add("model.safetensors", RawSafetensors.Build("""{"a":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}""", 100_000));
        long expected = Enumerable.Range(0, 100_000).Sum(i => (long)(byte)i);
        for (int round = 0; round < 20; round++)
        {
            SafetensorsFile file = SafetensorsFile.Open(path);
            Weight weight = file.Weights["a"];
            using var reading = new CountdownEvent(4);
            Task<int>[] readers = [.. Enumerable.Range(0, 4)
                .Select(_ => Task.Factory.StartNew(() => ReadUntilDisposed(file, weight, expected, reading), TaskCreationOptions.LongRunning))];
            reading.Wait();
            file.Dispose();
            Assert.That(Task.WhenAll(readers).GetAwaiter().GetResult(), Is.All.GreaterThan(0));
            Assert.That(() => weight.Bytes.Length, Throws.TypeOf<ObjectDisposedException>());
        }
    }

    /// <summary>malloc keeps blocks that were freed below one that is in use: a soak of eight threads came to take 700 MB instead of 240.</summary>
    [Test]
    [Platform("Linux", Reason = "/proc tells how much memory is whose")]
    public void Memory_of_files_that_were_read_whole_goes_back_to_the_system_at_once()
    {
        string path = _directory.Add("f", new byte[6 << 20]);
        MappedFile.Open(path, map: false).Dispose();                // from here on malloc takes such blocks from its heap
        long before = PrivateBytes();
        MappedFile[] files = [.. Enumerable.Range(0, 20).Select(_ => MappedFile.Open(path, map: false))];
        using MappedFile last = files[^1];
        Assert.That(PrivateBytes() - before, Is.GreaterThan(100 << 20));
        foreach (MappedFile file in files[..^1])
            file.Dispose();
        Assert.That(PrivateBytes() - before, Is.LessThan(40 << 20));
    }

    private static long PrivateBytes() => File.ReadLines("/proc/self/status").Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal))
        .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10).Single();

    /// <summary>Takes leases and sums the weight until no lease is given any more; returns how often it could.</summary>
    private static int ReadUntilDisposed(SafetensorsFile file, Weight weight, long expected, CountdownEvent reading)
    {
        for (int times = 0; ; times++)
        {
            FileLease lease;
            try
            {
                lease = file.Acquire();
            }
            catch (ObjectDisposedException)
            {
                return times;
            }

            using (lease)
            {
                long sum = 0;
                foreach (byte value in weight.Bytes) sum += value;
                if (sum != expected) throw new InvalidDataException($"{sum} instead of {expected}");
            }

            if (times == 0) reading.Signal();
        }
    }

    [Test]
    public void A_tensor_beyond_4_GiB_is_read_where_it_lies()
    {
        const long Big = 5L << 30;
        byte[] header = Encoding.UTF8.GetBytes(
            $$$"""{"big":{"dtype":"F16","shape":[{{{Big / 4}}},2],"data_offsets":[0,{{{Big}}}]},"last":"""
            + $$$"""{"dtype":"I32","shape":[2],"data_offsets":[{{{Big}}},{{{Big + 8}}}]}}""");
        string path = _directory["model.safetensors"];
        WriteSparse(path, header, Big, [1, 2, 3, 4, 5, 6, 7, 8]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Weights["last"].Bytes.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
        Weight big = file.Weights["big"];
        Assert.That((big.ByteLength, big.ElementCount), Is.EqualTo((Big, Big / 2)));
        Assert.That(big.Slice(Big - 4, 4).ToArray(), Is.EqualTo(new byte[] { 0, 0, 0, 0xEE }));
        Assert.That(() => big.Bytes.Length, Throws.InvalidOperationException.With.Message.Contains("Slice"));
        Assert.That(() => big.ToSingle(), Throws.InvalidOperationException);
    }

    /// <summary>A file whose first tensor is a hole up to its last byte, 0xEE.</summary>
    private static void WriteSparse(string path, byte[] header, long hole, byte[] tail)
    {
        try
        {
            using FileStream stream = File.Create(path);
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            stream.SetLength(8 + header.Length + hole + tail.Length);
            stream.Position = 8 + header.Length + hole - 1;
            stream.WriteByte(0xEE);
            stream.Write(tail);
        }
        catch (IOException e)
        {
            Assert.Ignore($"The disk does not take a sparse file of 5 GiB: {e.Message}");
        }
    }
}
