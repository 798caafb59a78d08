using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Serving.Tests;

/// <summary>How a file is cut into shards, and how their lines are read.</summary>
public sealed class CorpusInputTests
{
    private string _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("mtx-corpus").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void A_shard_ends_at_the_first_line_end_at_or_behind_its_size()
    {
        // Bytes 0 … 11; line ends at 1, 4, 5 and 9, none behind the last line.
        CorpusInput input = Read("a\nbb\n\ncccc\nd", shardBytes: 4);
        Assert.That(input.Shards, Is.EqualTo(new CorpusShard[] { new(0, 0, 5, 1), new(1, 5, 6, 3), new(2, 11, 1, 5) }));
        Assert.That((input.File.Length, input.Sha256), Is.EqualTo((12L, Convert.ToHexStringLower(SHA256.HashData("a\nbb\n\ncccc\nd"u8)))));
        Assert.That(input.Shards.Select(shard => shard.FileName), Is.EqualTo(new[] { "shard-00000.jsonl", "shard-00001.jsonl", "shard-00002.jsonl" }));
    }

    [Test]
    public void An_empty_file_has_no_shards() => Assert.That(Read("", shardBytes: 1).Shards, Is.Empty);

    [Test]
    public void Shards_of_any_size_have_every_line_once_under_its_number()
    {
        string[] lines = [.. Enumerable.Range(0, 40).Select(i => new string((char)('a' + (i % 26)), ((i * 7) + 1) % 13))];
        foreach (string end in new[] { "", "\n" })
        {
            for (long size = 1; size < 60; size++)
            {
                CorpusInput input = Read(string.Join('\n', lines) + end, size);
                (long, string)[] read = [.. input.Shards.SelectMany(shard => LinesOf(input, shard))];
                Assert.That(read, Is.EqualTo(lines.Select((line, i) => (i + 1L, line))), $"{size}");
                Assert.That(input.Shards.SkipLast(1).All(shard => shard.Length >= size), Is.True);
            }
        }
    }

    [Test]
    public void Lines_that_are_longer_than_every_buffer_are_whole()
    {
        string text = $"{new string('a', 3 << 20)}\nb\n{new string('c', (1 << 20) - 1)}\n{new string('d', 1 << 16)}";
        CorpusInput input = Read(text, shardBytes: 1 << 20);
        Assert.That(input.Shards.Select(shard => shard.FirstLine), Is.EqualTo(new[] { 1, 2, 4 }));
        Assert.That(string.Join('\n', input.Shards.SelectMany(shard => LinesOf(input, shard)).Select(line => line.Item2)), Is.EqualTo(text));
    }

    [Test]
    public void Of_a_line_above_16_MiB_only_the_length_is_known()
    {
        CorpusInput input = Read($"a\n{new string('b', 40 << 20)}\nc\n", shardBytes: long.MaxValue / 2);
        using var lines = new CorpusLines(input.File, input.Shards.Single());
        var read = new List<(long, long, int, bool)>();
        while (lines.Read()) read.Add((lines.Number, lines.LineBytes, lines.Line.Length, lines.IsTooLong));
        Assert.That(read, Is.EqualTo(new[] { (1, 2, 1, false), (2, (40L << 20) + 1, 0, true), (3, 2, 1, false) }));
    }

    [Test]
    public void A_file_that_changed_is_noticed()
    {
        CorpusInput input = Read("a\nb\n", shardBytes: 1);
        Assert.That(input.File.RequireUnchanged, Throws.Nothing);
        File.AppendAllText(input.File.Path, "c\n");
        Assert.That(input.File.RequireUnchanged, Throws.InstanceOf<CorpusException>()
            .With.Message.Contains("had 4 bytes").And.Message.Contains("now has 6").And.Message.Contains("it changed while the job ran"));
        File.Delete(input.File.Path);
        Assert.That(input.File.RequireUnchanged, Throws.InstanceOf<CorpusException>().With.Message.Contains("is gone"));
    }

    [Test]
    public void A_device_cannot_be_read_again()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/dev/null is of Linux.");
        Assert.That(() => CorpusInput.Read("/dev/null", 1), Throws.InstanceOf<CorpusException>().With.Message.Contains("is a pipe or a device"));
    }

    private CorpusInput Read(string text, long shardBytes)
    {
        string path = Path.Combine(_directory, "in.jsonl");
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return CorpusInput.Read(path, shardBytes);
    }

    private static List<(long Number, string Line)> LinesOf(CorpusInput input, CorpusShard shard)
    {
        using var lines = new CorpusLines(input.File, shard);
        var read = new List<(long, string)>();
        while (lines.Read()) read.Add((lines.Number, Encoding.UTF8.GetString(lines.Line.Span)));
        return read;
    }
}
